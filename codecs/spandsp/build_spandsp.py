"""Builds ``glottis_spandsp._spandsp`` (cffi, API mode): what is used of libspandsp and libspeexdsp, and concealment."""

import os
from pathlib import Path
from typing import Final

from cffi import FFI

LIBRARIES: Final = ("spandsp", "speexdsp")
STATIC: Final = ("-Wl,--gc-sections", "-Wl,--exclude-libs,ALL")
"""What is linked in is what is used, and nobody else's."""

DECLARATIONS = """
#define G711_ALAW ...
#define G711_ULAW ...
#define G722_SAMPLE_RATE_8000 ...

typedef ... g711_state_t;
typedef ... g722_encode_state_t;
typedef ... g722_decode_state_t;
typedef ... concealer_t;
typedef ... SpeexResamplerState;

g711_state_t *g711_init(g711_state_t *s, int mode);
int g711_free(g711_state_t *s);
int g711_encode(g711_state_t *s, uint8_t *g711_data, const int16_t *amp, int len);
int g711_decode(g711_state_t *s, int16_t *amp, const uint8_t *g711_data, int g711_bytes);

g722_encode_state_t *g722_encode_init(g722_encode_state_t *s, int rate, int options);
int g722_encode_free(g722_encode_state_t *s);
int g722_encode(g722_encode_state_t *s, uint8_t *g722_data, const int16_t *amp, int len);

g722_decode_state_t *g722_decode_init(g722_decode_state_t *s, int rate, int options);
int g722_decode_free(g722_decode_state_t *s);
int g722_decode(g722_decode_state_t *s, int16_t *amp, const uint8_t *g722_data, int len);

typedef ... dtmf_rx_state_t;
dtmf_rx_state_t *dtmf_new(void);
int dtmf_rx_free(dtmf_rx_state_t *s);
int dtmf_rx(dtmf_rx_state_t *s, const int16_t *amp, int samples);
int dtmf_rx_status(dtmf_rx_state_t *s);
size_t dtmf_rx_get(dtmf_rx_state_t *s, char *digits, int max);

concealer_t *concealer_new(int rate);
void concealer_free(concealer_t *c);
void concealer_hear(concealer_t *c, int16_t *samples, int count);
void g711_conceal(g711_state_t *s, concealer_t *c, int16_t *out, int count);
void g711_bridge(g711_state_t *s, concealer_t *c, const uint8_t *next, int next_bytes, int16_t *out, int count);
void g722_conceal(g722_decode_state_t *s, concealer_t *c, int16_t *out, int count);
void g722_bridge(g722_decode_state_t *s, concealer_t *c, const uint8_t *next, int next_bytes, int16_t *out, int count);

SpeexResamplerState *speex_resampler_init(uint32_t nb_channels, uint32_t in_rate, uint32_t out_rate, int quality,
                                          int *err);
void speex_resampler_destroy(SpeexResamplerState *st);
int resample(SpeexResamplerState *st, const int16_t *in, uint32_t in_len, int16_t *out, uint32_t out_len);

typedef ... SpeexEchoState;
typedef ... SpeexPreprocessState;
SpeexEchoState *echo_new(int count, int tail, int rate);
void speex_echo_state_destroy(SpeexEchoState *st);
void speex_echo_cancellation(SpeexEchoState *st, const int16_t *rec, const int16_t *play, int16_t *out);
SpeexPreprocessState *rest_new(int count, int rate, SpeexEchoState *echo, int noise_db);
void speex_preprocess_state_destroy(SpeexPreprocessState *st);
int speex_preprocess_run(SpeexPreprocessState *st, int16_t *x);
"""

SOURCE = """
#if !__has_include(<spandsp/g722.h>)
#error "The headers spandsp/*.h of libspandsp are missing. On Debian: apt-get install libspandsp-dev"
#endif
#if !__has_include(<speex/speex_resampler.h>)
#error "The header speex/speex_resampler.h of libspeexdsp is missing. On Debian: apt-get install libspeexdsp-dev"
#endif

/* Not the whole of spandsp.h, which needs libtiff's header for the fax modems. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <spandsp/telephony.h>
#include <spandsp/bit_operations.h>
#include <spandsp/g711.h>
#include <spandsp/g722.h>
#include <spandsp/private/g722.h>
#include <spandsp/logging.h>
#include <spandsp/queue.h>
#include <spandsp/tone_generate.h>
#include <spandsp/super_tone_rx.h>
#include <spandsp/dtmf.h>
#include <speex/speex_resampler.h>
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>

/* One whose digits are fetched, with the limits that it has by itself. */
static dtmf_rx_state_t *dtmf_new(void)
{
    return dtmf_rx_init(NULL, NULL, NULL);
}

/* How many samples were written; negative if it failed or did not take all that came in. */
static int resample(SpeexResamplerState *st, const int16_t *in, uint32_t in_len, int16_t *out, uint32_t out_len)
{
    spx_uint32_t taken = in_len, written = out_len;
    int error = speex_resampler_process_int(st, 0, in, &taken, out, &written);
    return error != RESAMPLER_ERR_SUCCESS || taken != in_len ? -1 : (int) written;
}

static SpeexEchoState *echo_new(int count, int tail, int rate)
{
    SpeexEchoState *st = speex_echo_state_init(count, tail);
    if (st)
        speex_echo_ctl(st, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
    return st;
}

/* What follows a canceller: it knows what that has left of the echo. Without noise_db, noise is left alone. */
static SpeexPreprocessState *rest_new(int count, int rate, SpeexEchoState *echo, int noise_db)
{
    SpeexPreprocessState *st = speex_preprocess_state_init(count, rate);
    int suppresses = noise_db > 0, limit = -noise_db;
    if (st) {
        speex_preprocess_ctl(st, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
        speex_preprocess_ctl(st, SPEEX_PREPROCESS_SET_DENOISE, &suppresses);
        if (suppresses)
            speex_preprocess_ctl(st, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &limit);
    }
    return st;
}
"""

CONCEALMENT = Path(__file__).with_name("concealment.c").read_text()

# For wheels: where a lib/lib….a of both is that fits into shared objects, for libspandsp.so would bring a dozen others.
folder = os.environ.get("GLOTTIS_STATIC")
libraries = [f"{folder}/lib/lib{name}.a" for name in LIBRARIES] if folder else [f"-l{name}" for name in LIBRARIES]

ffi = FFI()
ffi.cdef(DECLARATIONS)
ffi.set_source(
    "glottis_spandsp._spandsp",
    SOURCE + CONCEALMENT,
    extra_link_args=[*libraries, *(STATIC if folder else ()), "-lm"],
    # Sums of products as vectors. And else a hundred errors follow the one that says what is missing.
    extra_compile_args=[
        "-O3",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fno-signed-zeros",
        "-fassociative-math",
        "-Wfatal-errors",
    ],
)

if __name__ == "__main__":
    ffi.compile(verbose=True)
