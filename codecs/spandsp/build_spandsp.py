"""Builds ``glottis_spandsp._spandsp``: what this package uses of libspandsp and libspeexdsp (cffi, API mode)."""

from cffi import FFI

DECLARATIONS = """
#define G711_ALAW ...
#define G711_ULAW ...
#define G722_SAMPLE_RATE_8000 ...

typedef ... g711_state_t;
typedef ... g722_encode_state_t;
typedef ... g722_decode_state_t;
typedef ... plc_state_t;
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

plc_state_t *plc_init(plc_state_t *s);
int plc_free(plc_state_t *s);
int plc_rx(plc_state_t *s, int16_t *amp, int len);
int plc_fillin(plc_state_t *s, int16_t *amp, int len);

SpeexResamplerState *speex_resampler_init(uint32_t nb_channels, uint32_t in_rate, uint32_t out_rate, int quality,
                                          int *err);
void speex_resampler_destroy(SpeexResamplerState *st);
int resample(SpeexResamplerState *st, const int16_t *in, uint32_t in_len, int16_t *out, uint32_t out_len);
"""

SOURCE = """
#if !__has_include(<spandsp/plc.h>)
#error "The headers spandsp/*.h of libspandsp are missing. On Debian: apt-get install libspandsp-dev"
#endif
#if !__has_include(<speex/speex_resampler.h>)
#error "The header speex/speex_resampler.h of libspeexdsp is missing. On Debian: apt-get install libspeexdsp-dev"
#endif

/* Not the whole of spandsp.h, which needs libtiff's header for the fax modems. */
#include <inttypes.h>
#include <stdlib.h>
#include <spandsp/telephony.h>
#include <spandsp/bit_operations.h>
#include <spandsp/g711.h>
#include <spandsp/g722.h>
#include <spandsp/plc.h>
#include <speex/speex_resampler.h>

/* How many samples were written; negative if it failed or did not take all that came in. */
static int resample(SpeexResamplerState *st, const int16_t *in, uint32_t in_len, int16_t *out, uint32_t out_len)
{
    spx_uint32_t taken = in_len, written = out_len;
    int error = speex_resampler_process_int(st, 0, in, &taken, out, &written);
    return error != RESAMPLER_ERR_SUCCESS || taken != in_len ? -1 : (int) written;
}
"""

ffi = FFI()
ffi.cdef(DECLARATIONS)
ffi.set_source(
    "glottis_spandsp._spandsp",
    SOURCE,
    libraries=["spandsp", "speexdsp"],
    extra_compile_args=["-Wfatal-errors"],  # else a hundred errors follow the one that says what is missing
)

if __name__ == "__main__":
    ffi.compile(verbose=True)
