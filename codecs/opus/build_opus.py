"""Builds ``glottis_opus._opus``, the part of libopus that this package uses (cffi, API mode)."""

import os
from typing import Final

from cffi import FFI

STATIC: Final = ("-Wl,--gc-sections", "-Wl,--exclude-libs,ALL")
"""What is linked in is what is used, and nobody else's."""

DECLARATIONS = """
#define OPUS_OK ...
#define OPUS_UNIMPLEMENTED ...
#define OPUS_APPLICATION_VOIP ...

#define OPUS_SET_BITRATE_REQUEST ...
#define OPUS_SET_MAX_BANDWIDTH_REQUEST ...
#define OPUS_SET_VBR_REQUEST ...
#define OPUS_SET_COMPLEXITY_REQUEST ...
#define OPUS_SET_INBAND_FEC_REQUEST ...
#define OPUS_SET_PACKET_LOSS_PERC_REQUEST ...
#define OPUS_SET_DTX_REQUEST ...
#define OPUS_SET_DRED_DURATION_REQUEST ...

#define OPUS_BANDWIDTH_NARROWBAND ...
#define OPUS_BANDWIDTH_MEDIUMBAND ...
#define OPUS_BANDWIDTH_WIDEBAND ...
#define OPUS_BANDWIDTH_SUPERWIDEBAND ...
#define OPUS_BANDWIDTH_FULLBAND ...

typedef int32_t opus_int32;
typedef int16_t opus_int16;
typedef ... OpusEncoder;
typedef ... OpusDecoder;
typedef ... OpusDREDDecoder;
typedef ... OpusDRED;

const char *library_file(void);
const char *opus_get_version_string(void);
const char *opus_strerror(int error);

int opus_encoder_get_size(int channels);
OpusEncoder *opus_encoder_create(opus_int32 Fs, int channels, int application, int *error);
void opus_encoder_destroy(OpusEncoder *st);
opus_int32 opus_encode(OpusEncoder *st, const opus_int16 *pcm, int frame_size, unsigned char *data,
                       opus_int32 max_data_bytes);
int encoder_set(OpusEncoder *st, int request, opus_int32 value);

int opus_decoder_get_size(int channels);
OpusDecoder *opus_decoder_create(opus_int32 Fs, int channels, int *error);
void opus_decoder_destroy(OpusDecoder *st);
int decoder_set(OpusDecoder *st, int request, opus_int32 value);
int opus_decode(OpusDecoder *st, const unsigned char *data, opus_int32 len, opus_int16 *pcm, int frame_size,
                int decode_fec);

int opus_packet_get_nb_samples(const unsigned char *packet, opus_int32 len, opus_int32 Fs);

int has_dred(void);
OpusDREDDecoder *opus_dred_decoder_create(int *error);
OpusDRED *opus_dred_alloc(int *error);
int opus_dred_parse(OpusDREDDecoder *dred_dec, OpusDRED *dred, const unsigned char *data, opus_int32 len,
                    opus_int32 max_dred_samples, opus_int32 sampling_rate, int *dred_end, int defer_processing);
int opus_dred_process(OpusDREDDecoder *dred_dec, const OpusDRED *src, OpusDRED *dst);
int opus_decoder_dred_decode(OpusDecoder *st, const OpusDRED *dred, opus_int32 dred_offset, opus_int16 *pcm,
                             opus_int32 frame_size);
"""

SOURCE = """
#if !__has_include(<opus/opus.h>)
#error "The header opus/opus.h of libopus is missing. On Debian: apt-get install libopus-dev"
#endif
#include <dlfcn.h>
#include <opus/opus.h>

/* Where the library was loaded from that is used. */
static const char *library_file(void)
{
    Dl_info found;
    return dladdr((void *)opus_get_version_string, &found) ? found.dli_fname : "";
}

/* Deep redundancy, from libopus 1.5 on: where the library that is loaded has none, these are null. */
#ifndef OPUS_SET_DRED_DURATION_REQUEST
#define OPUS_SET_DRED_DURATION_REQUEST 4050
typedef struct OpusDREDDecoder OpusDREDDecoder;
typedef struct OpusDRED OpusDRED;
#endif
OpusDREDDecoder *opus_dred_decoder_create(int *error) __attribute__((weak));
OpusDRED *opus_dred_alloc(int *error) __attribute__((weak));
int opus_dred_parse(OpusDREDDecoder *dred_dec, OpusDRED *dred, const unsigned char *data, opus_int32 len,
                    opus_int32 max_dred_samples, opus_int32 sampling_rate, int *dred_end, int defer_processing)
    __attribute__((weak));
int opus_dred_process(OpusDREDDecoder *dred_dec, const OpusDRED *src, OpusDRED *dst) __attribute__((weak));
int opus_decoder_dred_decode(OpusDecoder *st, const OpusDRED *dred, opus_int32 dred_offset, opus_int16 *pcm,
                             opus_int32 frame_size) __attribute__((weak));

static int has_dred(void)
{
    return opus_dred_decoder_create && opus_dred_alloc && opus_dred_parse && opus_dred_process
        && opus_decoder_dred_decode;
}

/* The ..._ctl functions take variable argument lists, for which cffi would need a cast at each call. */
static int encoder_set(OpusEncoder *st, int request, opus_int32 value)
{
    return opus_encoder_ctl(st, request, value);
}

static int decoder_set(OpusDecoder *st, int request, opus_int32 value)
{
    return opus_decoder_ctl(st, request, value);
}
"""

# For wheels: where a lib/libopus.a is that fits into shared objects.
folder = os.environ.get("GLOTTIS_STATIC")
library = [f"{folder}/lib/libopus.a", *STATIC, "-lm"] if folder else ["-lopus"]

ffi = FFI()
ffi.cdef(DECLARATIONS)
ffi.set_source(
    "glottis_opus._opus",
    SOURCE,
    extra_link_args=library,
    extra_compile_args=["-Wfatal-errors"],  # else a hundred errors follow the one that says what is missing
)

if __name__ == "__main__":
    ffi.compile(verbose=True)
