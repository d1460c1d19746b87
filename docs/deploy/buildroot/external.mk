include $(sort $(wildcard $(BR2_EXTERNAL_GLOTTIS_PATH)/python-glottis/*.mk))
