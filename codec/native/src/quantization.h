// Quantizer indices and the steps they stand for (RFC 6386, sections 9.6 and 14.1).
#pragma once

#include "kernels/kernels.h"
#include "types.h"

namespace vp8 {

// Indices as coded in a frame header: a base and five differences.
struct QuantizerIndices {
  int y_ac_qi = 0;
  int y_dc_delta = 0;
  int y2_dc_delta = 0;
  int y2_ac_delta = 0;
  int uv_dc_delta = 0;
  int uv_ac_delta = 0;

  bool operator==(const QuantizerIndices&) const = default;
};

// Step sizes [0] of the DC and [1] of the ACs, by kind of block.
struct QuantizerSteps {
  int y[2];
  int y2[2];
  int uv[2];

  const int* of(BlockType type) const { return type == kY2 ? y2 : type == kChroma ? uv : y; }
};

// The steps for base index `y_ac_qi` (clamped to 0..127), with the differences
// of `indices`.
QuantizerSteps quantizer_steps(int y_ac_qi, const QuantizerIndices& indices);

// What divides by `steps`, with `rounding` added to magnitudes first ([0] DC,
// [1] ACs): half a step rounds to nearest.
Quantizer make_quantizer(const int* steps, const int* rounding);

}  // namespace vp8
