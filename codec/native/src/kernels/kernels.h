// The pixel arithmetic of the codec behind one table of functions.
//
// The plain versions in reference_*.cc are the definition. A version for an
// instruction set overwrites entries of the table and must give the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vp8 {

// Strengths of one loop-filter edge (section 15.2).
struct EdgeLimits {
  int edge;
  int interior;
  int high_variance;
};

struct Kernels {
  // Inter prediction (section 18). `mx`, `my`: eighths of a pixel. Index: width
  // 4, 8 or 16 as 0, 1, 2. Reads 2 pixels before and 3 after in each direction
  // that has a fraction.
  using Interpolate = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                               std::uint8_t* target, std::ptrdiff_t target_stride, int height,
                               int mx, int my);
  Interpolate sixtap[3];
  Interpolate bilinear[3];
  using Copy = void (*)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                        std::uint8_t* target, std::ptrdiff_t target_stride, int height);
  Copy copy[3];

  // Transforms (section 14). Blocks are 16 values in raster order.
  void (*inverse_dct_add)(const std::int16_t* block, std::uint8_t* pixels, std::ptrdiff_t stride);
  void (*inverse_dct_dc_add)(int dc, std::uint8_t* pixels, std::ptrdiff_t stride);
  void (*inverse_walsh)(const std::int16_t* block, std::int16_t* dc_of_16_blocks);
  void (*forward_dct)(const std::uint8_t* source, std::ptrdiff_t source_stride,
                      const std::uint8_t* prediction, std::ptrdiff_t prediction_stride,
                      std::int16_t* block);
  void (*forward_walsh)(const std::int16_t* dc_of_16_blocks, std::int16_t* block);

  // Differences of a square of 4, 8 or 16 pixels (index 0, 1, 2).
  using Distortion = int (*)(const std::uint8_t* a, std::ptrdiff_t a_stride, const std::uint8_t* b,
                             std::ptrdiff_t b_stride);
  Distortion sad[3];   // sum of absolute differences
  Distortion sse[3];   // sum of squared differences
  Distortion satd[3];  // sum of absolute Hadamard coefficients, halved

  // Loop filters (section 15) over `length` positions along an edge. *_columns
  // filters across a vertical edge, left of `pixels`; *_rows across a horizontal
  // edge, above it.
  using EdgeFilter = void (*)(std::uint8_t* pixels, std::ptrdiff_t stride, int length,
                              EdgeLimits limits);
  EdgeFilter macroblock_edge_columns;
  EdgeFilter macroblock_edge_rows;
  EdgeFilter subblock_edge_columns;
  EdgeFilter subblock_edge_rows;
  EdgeFilter simple_edge_columns;
  EdgeFilter simple_edge_rows;
};

// The table in use, filled once.
const Kernels& kernels();

// Each part of the reference fills in its own entries.
void install_reference_interpolation(Kernels& table);
void install_reference_transforms(Kernels& table);
void install_reference_distortion(Kernels& table);
void install_reference_loop_filters(Kernels& table);

}  // namespace vp8
