# For a layer of your own, beside meta-oe's meta-python. A starting point: it has not been built.

SUMMARY = "WebRTC voice gateway: a person talks, an agent hears and answers"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=${@bb.utils.md5_file(d.getVar('S') + '/LICENSE')}"

# A checkout of the repository: GLOTTIS_SOURCE = "/path" in local.conf
inherit externalsrc python_setuptools_build_meta systemd
EXTERNALSRC = "${GLOTTIS_SOURCE}"
PEP517_SOURCE_PATH = "${S}/core"

DEPENDS += "libopus python3-cffi-native"
RDEPENDS:${PN} += "\
    libopus \
    python3-asyncio \
    python3-cffi \
    python3-cryptography \
    python3-ctypes \
    python3-h11 \
    python3-ifaddr \
    python3-logging \
    python3-msgspec \
    python3-pluggy \
    python3-pylibsrtp \
    python3-pyopenssl \
    python3-tomllib \
    python3-trio \
    python3-trio-websocket \
    python3-wsproto \
"
# Where meta-python has no ifaddr, msgspec, pylibsrtp or trio-websocket: `devtool add` makes their recipes from their sources.

# The other distributions of the same checkout, each with a pyproject.toml of its own
GLOTTIS_MORE = "codecs/opus plugins/echo plugins/auth-anonymous"

do_compile:append() {
    for folder in ${GLOTTIS_MORE}; do
        nativepython3 -m build --no-isolation --wheel --outdir ${PEP517_WHEEL_PATH} ${S}/$folder
    done
}

do_install:append() {
    install -Dm 0644 ${S}/docs/deploy/glottis.service ${D}${systemd_system_unitdir}/glottis.service
    sed -i 's,/opt/glottis/bin/,${bindir}/,; s,^LoadCredential,#&,' ${D}${systemd_system_unitdir}/glottis.service
    install -Dm 0644 ${S}/tools/debian/glottis.toml ${D}${sysconfdir}/glottis/glottis.toml
}

SYSTEMD_SERVICE:${PN} = "glottis.service"
CONFFILES:${PN} = "${sysconfdir}/glottis/glottis.toml"
