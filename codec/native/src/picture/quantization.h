// The steps that quantizer indices stand for (RFC 6386, section 14.1).
#pragma once

#include "bitstream/frame_header.h"
#include "common/types.h"
#include "kernels/kernels.h"

namespace vp8 {

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

// A quantizer that adds `rounding` to magnitudes and divides them by `steps` ([0] DC, [1]
// ACs). A rounding of half a step rounds to nearest.
Quantizer make_quantizer(const int* steps, const int* rounding);

}  // namespace vp8
