"""What build_opus.py declares, as types."""

from _cffi_backend import FFI

ffi: FFI

class lib:  # noqa: N801 - the name that cffi gives it
    OPUS_OK: int
    OPUS_UNIMPLEMENTED: int
    OPUS_APPLICATION_VOIP: int

    OPUS_SET_BITRATE_REQUEST: int
    OPUS_SET_MAX_BANDWIDTH_REQUEST: int
    OPUS_SET_VBR_REQUEST: int
    OPUS_SET_COMPLEXITY_REQUEST: int
    OPUS_SET_INBAND_FEC_REQUEST: int
    OPUS_SET_PACKET_LOSS_PERC_REQUEST: int
    OPUS_SET_DTX_REQUEST: int
    OPUS_SET_DRED_DURATION_REQUEST: int

    OPUS_BANDWIDTH_NARROWBAND: int
    OPUS_BANDWIDTH_MEDIUMBAND: int
    OPUS_BANDWIDTH_WIDEBAND: int
    OPUS_BANDWIDTH_SUPERWIDEBAND: int
    OPUS_BANDWIDTH_FULLBAND: int

    @staticmethod
    def library_file() -> FFI.CData: ...
    @staticmethod
    def opus_get_version_string() -> FFI.CData: ...
    @staticmethod
    def opus_strerror(error: int) -> FFI.CData: ...
    @staticmethod
    def opus_encoder_get_size(channels: int) -> int: ...
    @staticmethod
    def opus_encoder_create(fs: int, channels: int, application: int, error: FFI.CData) -> FFI.CData: ...
    @staticmethod
    def opus_encoder_destroy(st: FFI.CData) -> None: ...
    @staticmethod
    def opus_encode(st: FFI.CData, pcm: FFI.CData, frame_size: int, data: FFI.CData, max_data_bytes: int) -> int: ...
    @staticmethod
    def encoder_set(st: FFI.CData, request: int, value: int) -> int: ...
    @staticmethod
    def opus_decoder_get_size(channels: int) -> int: ...
    @staticmethod
    def opus_decoder_create(fs: int, channels: int, error: FFI.CData) -> FFI.CData: ...
    @staticmethod
    def opus_decoder_destroy(st: FFI.CData) -> None: ...
    @staticmethod
    def decoder_set(st: FFI.CData, request: int, value: int) -> int: ...
    @staticmethod
    def opus_decode(
        st: FFI.CData, data: bytes | FFI.CData, length: int, pcm: FFI.CData, frame_size: int, decode_fec: int
    ) -> int: ...
    @staticmethod
    def opus_packet_get_nb_samples(packet: bytes, length: int, fs: int) -> int: ...
    @staticmethod
    def has_dred() -> int: ...
    @staticmethod
    def opus_dred_decoder_create(error: FFI.CData) -> FFI.CData: ...
    @staticmethod
    def opus_dred_alloc(error: FFI.CData) -> FFI.CData: ...
    @staticmethod
    def opus_dred_parse(
        dred_dec: FFI.CData,
        dred: FFI.CData,
        data: bytes,
        length: int,
        max_dred_samples: int,
        sampling_rate: int,
        dred_end: FFI.CData,
        defer_processing: int,
    ) -> int: ...
    @staticmethod
    def opus_dred_process(dred_dec: FFI.CData, src: FFI.CData, dst: FFI.CData) -> int: ...
    @staticmethod
    def opus_decoder_dred_decode(
        st: FFI.CData, dred: FFI.CData, dred_offset: int, pcm: FFI.CData, frame_size: int
    ) -> int: ...
