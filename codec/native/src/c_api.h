/* The C boundary of the codec: opaque values, integer statuses.
 *
 * Every function that can fail returns a status (0 is success, the others are
 * listed in common/status.h) and leaves its outputs alone on failure;
 * xc_error_message() returns the message of the calling thread's last failure. Values are immutable
 * and may be shared between threads; each handle is released once. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XC_API __attribute__((visibility("default")))

typedef struct xc_raster xc_raster;
typedef struct xc_state xc_state;
typedef struct xc_basis xc_basis;
typedef struct xc_buffer xc_buffer;

/* The quantizer steps of AC coefficients in luma, by index: 128 values. */
XC_API const uint16_t* xc_quantizer_steps(void);

typedef struct {
  int32_t key_frame;
  int32_t version;
  int32_t show_frame;
  int32_t first_partition_size;
  int32_t width; /* the last four: key frames only, else 0 */
  int32_t height;
  int32_t horizontal_scale;
  int32_t vertical_scale;
} xc_frame_start;

typedef struct {
  int32_t width;
  int32_t height;
  int32_t horizontal_scale;
  int32_t vertical_scale;
  int32_t color_space;
  int32_t clamping_type;
} xc_state_info;

XC_API const char* xc_error_message(void);

/* The instruction set in use: "reference", "sse2", "avx2" or "neon". Fails, like everything that
 * touches pixels, if the environment variable EXCAMERA_CODEC_SIMD names one that this CPU lacks. */
XC_API int xc_simd_level(const char** name);

XC_API size_t xc_buffer_size(const xc_buffer* buffer);
XC_API const uint8_t* xc_buffer_data(const xc_buffer* buffer);
XC_API void xc_buffer_free(xc_buffer* buffer);

/* Planes of display size (chroma rounded up), strides in bytes. */
XC_API int xc_raster_new(int32_t width, int32_t height, const uint8_t* const planes[3],
                         const ptrdiff_t strides[3], xc_raster** raster);
XC_API void xc_raster_free(xc_raster* raster);
XC_API int32_t xc_raster_width(const xc_raster* raster);
XC_API int32_t xc_raster_height(const xc_raster* raster);
/* Writes tightly packed planes of display size, Y then U then V. */
XC_API void xc_raster_copy_i420(const xc_raster* raster, uint8_t* out);
/* Equality of the displayed pixels. */
XC_API int xc_raster_equal(const xc_raster* a, const xc_raster* b);

XC_API void xc_state_free(xc_state* state);
XC_API void xc_state_get_info(const xc_state* state, xc_state_info* info);
/* reference: 1 last, 2 golden, 3 altref. */
XC_API xc_raster* xc_state_reference(const xc_state* state, int32_t reference);
XC_API int xc_state_equal(const xc_state* a, const xc_state* b);
XC_API int xc_state_serialize(const xc_state* state, xc_buffer** bytes);
XC_API int xc_state_deserialize(const uint8_t* data, size_t size, xc_state** state);

/* What rebase needs to know of the state that a frame was made for; keeps no raster. */
XC_API int xc_state_basis(const xc_state* state, xc_basis** basis);
XC_API void xc_basis_free(xc_basis* basis);

XC_API int xc_parse_frame_start(const uint8_t* data, size_t size, xc_frame_start* start);

/* The operations work with `threads` threads, 1 to 64, the caller's among them; the results
 * do not depend on their number. An error in a chunk names its frame. */

/* Decodes `count` consecutive frames; returns the state after each and its raster. `before`
 * may be null if the first is a key frame. */
XC_API int xc_decode_chunk(const xc_state* before, const uint8_t* const* frames,
                           const size_t* sizes, size_t count, int32_t threads, xc_state** after,
                           xc_raster** rasters);

/* The same, but returns only the state after the last. */
XC_API int xc_advance(const xc_state* before, const uint8_t* const* frames, const size_t* sizes,
                      size_t count, int32_t threads, xc_state** after);

/* The state with what `count` consecutive inter frames do to it, except to its references. */
XC_API int xc_skim(const xc_state* before, const uint8_t* const* frames, const size_t* sizes,
                   size_t count, xc_state** after);

/* Four segments, and the segment of each macroblock in raster order. */
typedef struct {
  int32_t quantizer_deltas[4]; /* -127 to 127, added to y_ac_qi */
  int32_t filter_deltas[4];    /* -63 to 63, added to the filter level */
  const uint8_t* map;          /* null: that of the state */
  size_t map_size;
} xc_segments;

typedef struct {
  int32_t y_ac_qi; /* 0 to 127 */
  int32_t show;
  int32_t refresh_entropy;
  /* Inter frames only. copy_to_*: 0 nothing, 1 from last, 2 from the other. */
  int32_t refresh_last;
  int32_t refresh_golden;
  int32_t refresh_altref;
  int32_t copy_to_golden;
  int32_t copy_to_altref;
  int32_t golden_sign_bias; /* 0 or 1, -1 keeps the state's; the next likewise */
  int32_t altref_sign_bias;
  int32_t filter_level;        /* 0 to 63, -1 to search */
  int32_t effort;              /* 0, the fastest, to 4 */
  const xc_segments* segments; /* may be null */
} xc_encode_settings;

XC_API int xc_encode_key_frame(const xc_raster* source, const xc_encode_settings* settings,
                               int32_t threads, xc_buffer** frame, xc_state** after);
XC_API int xc_encode_inter_frame(const xc_state* before, const xc_raster* source,
                                 const xc_encode_settings* settings, int32_t threads,
                                 xc_buffer** frame, xc_state** after);

/* Codes `count` frames, each made for the state of its basis, again for `before` and the
 * states that follow from it; returns the state after the last. */
XC_API int xc_rebase_chunk(const xc_state* before, const xc_raster* const* sources,
                           const uint8_t* const* frames, const size_t* sizes,
                           const xc_basis* const* made_for, size_t count, int32_t threads,
                           xc_buffer** rebased, xc_state** after);

/* A frame of a few bytes that shows a reference (1 last, 2 golden, 3 altref) as it is. */
XC_API int xc_show_reference(const xc_state* before, int32_t reference, int32_t threads,
                             xc_buffer** frame, xc_state** after);

/* Writes an inter frame, made for the state of the basis, to follow `before`, which predicts the
 * same but has other probabilities. */
XC_API int xc_recode(const xc_state* before, const uint8_t* frame, size_t size,
                     const xc_basis* made_for, xc_buffer** recoded);

/* A picture in small, for a look ahead: halved once or twice each way, or as
 * suits its size if `halvings` is 0. Blocks are 8x8 pixels of
 * the sketch, in raster order; costs are Hadamard differences, vectors (row, column) in quarter
 * pixels of the sketch. Sketches of one motion have one size. */
typedef struct xc_sketch xc_sketch;
XC_API int xc_sketch_new(const xc_raster* raster, int32_t halvings, xc_sketch** sketch);
XC_API void xc_sketch_free(xc_sketch* sketch);
XC_API int32_t xc_sketch_rows(const xc_sketch* sketch);
XC_API int32_t xc_sketch_columns(const xc_sketch* sketch);
XC_API int xc_intra_costs(const xc_sketch* sketch, uint16_t* costs);
XC_API int xc_find_motion(const xc_sketch* reference, const xc_sketch* picture, uint16_t* costs,
                          int16_t* vectors);

/* A picture with less noise, from up to 14 pictures around it. `most`: 8 to 255, the mean
 * difference in 16ths of a grey level from which on a block of a neighbour counts nothing. */
XC_API int xc_steady(const xc_raster* picture, const xc_raster* const* neighbours, size_t count,
                     int32_t most, int32_t threads, xc_raster** result);

#ifdef __cplusplus
}
#endif
