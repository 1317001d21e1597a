// The pixel arithmetic of the codec behind one table of functions.
//
// The plain versions in reference_*.cc are the definition. A version for an instruction set
// overwrites entries of the table and must give the same bytes. If an index is a size, 0,
// 1, 2 are 4, 8, 16 pixels.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/types.h"

namespace vp8 {

// Strengths of one loop-filter edge (section 15.2). `edge` is at most 193, so
// that comparisons in saturating bytes are exact.
struct EdgeLimits {
  std::uint8_t edge;
  std::uint8_t interior;
  std::uint8_t high_variance;
};

// A macroblock's first pixels in the planes U and V.
struct ChromaPixels {
  std::uint8_t* u;
  std::uint8_t* v;
  std::ptrdiff_t stride;
};

// Division of coefficients by their steps, [0] of the DC and [1] of the ACs:
// level = (min(|c| + rounding, 65535) * reciprocal) >> 16, at most 2047.
struct Quantizer {
  std::uint16_t step[2];
  std::uint16_t rounding[2];
  std::uint16_t reciprocal[2];
};

// Sums of the weighted pixels of a square, row by row, and of their weights.
struct WeightedSums {
  std::uint16_t pixels[16 * 16];
  std::uint8_t weights[16 * 16];
};

struct Kernels {
  // ---- inter prediction (section 18) ---- `mx`, `my`: eighths of a pixel, not both 0.
  // `height` is 4, 8 or 16; for sixtap, if one of `mx` and `my` is 0, up to kMaxRows in
  // whole vectors of 16 pixels. Reads 2 pixels before and 3 after the block in each
  // direction that has a fraction (bilinear: 1 after), and no others.
  static constexpr int kMaxRows = 16 + 6;
  using Interpolate = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                               std::uint8_t* target, std::ptrdiff_t target_stride, int height,
                               int mx, int my);
  Interpolate sixtap[3];
  Interpolate bilinear[3];
  using Copy = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                        std::uint8_t* target, std::ptrdiff_t target_stride, int height);
  Copy copy[3];

  // ---- transforms (section 14) ----
  // A block is 16 values in raster order; several follow each other in memory.
  // Index 0, 1, 2: 1, 2 or 4 blocks side by side. Inverse arithmetic wraps at 16
  // bits (docs/spec-notes.md).
  using InverseDct = void (*)(const std::int16_t* values, int dc_step, int ac_step,
                              std::uint8_t* pixels, std::ptrdiff_t stride);
  InverseDct dequantize_inverse_dct_add[3];
  // `dcs`: one of each block, dequantised.
  using InverseDctDc = void (*)(const std::int16_t* dcs, std::uint8_t* pixels,
                                std::ptrdiff_t stride);
  InverseDctDc inverse_dct_dc_add[3];
  void (*dequantize_inverse_walsh)(const std::int16_t* values, int dc_step, int ac_step,
                                   std::int16_t* dc_of_16_blocks);
  // Of a square: index 0, 1, 2 are 4, 8, 16 pixels, which are 1, 4, 16 blocks, row by
  // row.
  using ForwardDct = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                              const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                              std::int16_t* blocks);
  ForwardDct forward_dct[3];
  // Of the DCs of 16 blocks as forward_dct makes them, at most 2040 in magnitude.
  void (*forward_walsh)(const std::int16_t* blocks, std::int16_t* block);
  // Writes the levels of `count` blocks (at most 16), and for each block a bit for every
  // level that is not zero, in raster order. Returns a bit for each block that has any; if
  // it returns 0, it may have written nothing.
  std::uint32_t (*quantize)(const std::int16_t* blocks, int count, const Quantizer& quantizer,
                            std::int16_t* values, std::uint16_t* nonzero);

  // ---- differences of a square ----
  using Distortion = int (*)(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                             std::ptrdiff_t b_stride);
  Distortion sad[3];   // sum of absolute differences
  Distortion sse[3];   // sum of squared differences
  Distortion satd[3];  // sum of absolute Hadamard coefficients, halved
  // sad of one source block against each of `count` others.
  using DistortionMany = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                                  const std::uint8_t* const* others, std::ptrdiff_t stride,
                                  int count, int* sads);
  DistortionMany sad_many[3];
  // satd[0] of one source block against `count` predictions of 4x4.
  void (*satd_many)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                    const std::uint8_t (*predictions)[16], int count, int* satds);
  // Of a 16x16 block.
  void (*sum_and_squares)(const std::uint8_t* pixels, std::ptrdiff_t stride, std::uint32_t* sum,
                          std::uint32_t* squares);

  // ---- weighted sums of a square ----
  // Adds `other`. A pixel that differs by d from that of `own` has the weight weights[d], at
  // most 127, and none if d is 32 or more. Sums must not exceed their types. Index 0, 1: 8 or
  // 16 pixels.
  using AddAlike = void (*)(const std::uint8_t* own, std::ptrdiff_t own_stride,
                            const std::uint8_t* other, std::ptrdiff_t other_stride,
                            const std::uint8_t (&weights)[32], WeightedSums& sums);
  AddAlike add_alike[2];

  // ---- intra prediction (section 12) ----
  // Neighbours are read in place. Index 0, 1: 8 or 16 pixels square.
  using PredictIntra = void (*)(std::uint8_t* pixels, std::ptrdiff_t stride);
  PredictIntra predict_vertical[2];
  PredictIntra predict_horizontal[2];
  PredictIntra predict_true_motion[2];
  using PredictDc = void (*)(std::uint8_t* pixels, std::ptrdiff_t stride, bool has_above,
                             bool has_left);
  PredictDc predict_dc[2];
  // `edge` is the subblock's edge in one line: from the bottom of the left column
  // up to the corner, edge[4], then along the row above to its end, edge[12]. 16
  // bytes may be read.
  using PredictSubblock = void (*)(const std::uint8_t* edge, std::uint8_t* pixels,
                                   std::ptrdiff_t stride);
  PredictSubblock predict_subblock[kSubblockModes];
  // Every mode's prediction, 4x4 and packed.
  void (*predict_all_subblocks)(const std::uint8_t* edge, std::uint8_t (*predictions)[16]);

  // ---- loop filters (section 15) ----
  // `pixels` is a macroblock's first pixel in its plane. *_columns filters across
  // vertical edges, *_rows across horizontal ones. The macroblock edge is the one
  // left of or above `pixels`; inner edges lie at 4, 8, 12 in luma (filtered in
  // that order) and at 4 in chroma.
  using EdgeFilter = void (*)(std::uint8_t* pixels, std::ptrdiff_t stride,
                              const EdgeLimits& limits);
  EdgeFilter macroblock_edge_columns;
  EdgeFilter macroblock_edge_rows;
  EdgeFilter inner_edges_columns;
  EdgeFilter inner_edges_rows;
  // The same of all planes.
  using PlanesEdgeFilter = void (*)(std::uint8_t* luma, std::ptrdiff_t luma_stride,
                                    const ChromaPixels& chroma, const EdgeLimits& limits);
  PlanesEdgeFilter macroblock_edge_columns_yuv;
  PlanesEdgeFilter macroblock_edge_rows_yuv;
  PlanesEdgeFilter inner_edges_columns_yuv;
  PlanesEdgeFilter inner_edges_rows_yuv;
  EdgeFilter simple_edge_columns;
  EdgeFilter simple_edge_rows;
  EdgeFilter simple_inner_edges_columns;
  EdgeFilter simple_inner_edges_rows;
};

// Instruction sets that there may be kernels for.
enum class SimdLevel { kReference, kSse2, kAvx2, kNeon };

// The name of a level in EXCAMERA_CODEC_SIMD.
const char* simd_level_name(SimdLevel level);
// What this CPU can run, the best last.
const std::vector<SimdLevel>& available_levels();
// The table of one available level.
const Kernels& kernels_at(SimdLevel level);

// The level in use: the best, or the one that the environment variable EXCAMERA_CODEC_SIMD
// names. Throws CodecError if that is not available.
SimdLevel simd_level();
namespace detail {
extern std::atomic<const Kernels*> kernels_in_use;
const Kernels& choose_kernels();
}  // namespace detail

// Its table.
inline const Kernels& kernels() {
  const Kernels* const chosen = detail::kernels_in_use.load(std::memory_order_acquire);
  return chosen != nullptr ? *chosen : detail::choose_kernels();
}

// Each part of the reference fills in its own entries.
void install_reference_interpolation(Kernels& table);
void install_reference_transforms(Kernels& table);
void install_reference_distortion(Kernels& table);
void install_reference_weighting(Kernels& table);
void install_reference_intra(Kernels& table);
void install_reference_loop_filters(Kernels& table);

}  // namespace vp8
