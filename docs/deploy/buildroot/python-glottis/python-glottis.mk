################################################################################
#
# python-glottis: the core, Opus, the echo and anonymous callers
#
# A starting point: it has not been built.
#
################################################################################

PYTHON_GLOTTIS_VERSION = 0.1.0
# A checkout of the repository beside the external tree
PYTHON_GLOTTIS_SITE = $(BR2_EXTERNAL_GLOTTIS_PATH)/../../..
PYTHON_GLOTTIS_SITE_METHOD = local
PYTHON_GLOTTIS_SETUP_TYPE = setuptools
PYTHON_GLOTTIS_SUBDIR = core
PYTHON_GLOTTIS_LICENSE = MIT
PYTHON_GLOTTIS_LICENSE_FILES = LICENSE
PYTHON_GLOTTIS_DEPENDENCIES = host-python-cffi opus
PYTHON_GLOTTIS_MORE = codecs/opus plugins/echo plugins/auth-anonymous

# The other distributions of the same checkout, each with a pyproject.toml of its own
define PYTHON_GLOTTIS_BUILD_MORE
	for folder in $(PYTHON_GLOTTIS_MORE); do \
		(cd $(PYTHON_GLOTTIS_SRCDIR)/../$$folder && \
		$(PKG_PYTHON_SETUPTOOLS_ENV) $(HOST_DIR)/bin/python3 -m build -n -w .) || exit 1; \
	done
endef
PYTHON_GLOTTIS_POST_BUILD_HOOKS += PYTHON_GLOTTIS_BUILD_MORE

define PYTHON_GLOTTIS_INSTALL_MORE
	for folder in $(PYTHON_GLOTTIS_MORE); do \
		(cd $(PYTHON_GLOTTIS_SRCDIR)/../$$folder && \
		$(HOST_DIR)/bin/python3 $(TOPDIR)/support/scripts/pyinstaller.py dist/*.whl \
			--interpreter=/usr/bin/python --script-kind=posix \
			--purelib=$(TARGET_DIR)/usr/lib/python$(PYTHON3_VERSION_MAJOR)/site-packages \
			--headers=$(TARGET_DIR)/usr/include/python$(PYTHON3_VERSION_MAJOR) \
			--scripts=$(TARGET_DIR)/usr/bin --data=$(TARGET_DIR)/usr) || exit 1; \
	done
endef
PYTHON_GLOTTIS_POST_INSTALL_TARGET_HOOKS += PYTHON_GLOTTIS_INSTALL_MORE

define PYTHON_GLOTTIS_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(PYTHON_GLOTTIS_SRCDIR)/../docs/deploy/glottis.service \
		$(TARGET_DIR)/usr/lib/systemd/system/glottis.service
	$(SED) 's,/opt/glottis/bin/,/usr/bin/,; s,^LoadCredential,#&,' \
		$(TARGET_DIR)/usr/lib/systemd/system/glottis.service
endef

$(eval $(python-package))
