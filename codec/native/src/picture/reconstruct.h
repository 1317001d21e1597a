// From modes and coefficients to a finished raster: prediction, residue, loop filter.
// Decode, encode and rebase share this path.
#pragma once

#include "bitstream/frame_header.h"
#include "bitstream/macroblock_grid.h"
#include "bitstream/tokens.h"
#include "picture/inter_prediction.h"
#include "picture/loop_filter.h"
#include "picture/quantization.h"
#include "picture/state.h"

namespace vp8 {

// What is needed to reconstruct the macroblocks of one frame, computed once.
struct ReconstructionContext {
  ReconstructionContext(const State* before, const FrameHeader& header,
                        const CodingContext& context);

  const QuantizerSteps& steps_of(const MacroblockInfo& info) const { return steps[info.segment]; }
  const Raster& reference_of(const MacroblockInfo& info) const {
    return *references[info.reference];
  }

  std::array<QuantizerSteps, kMaxSegments> steps;
  std::array<SharedRaster, kReferenceFrames> references;  // null for a key frame
  InterpolationFilter filter;
};

LoopFilterSettings loop_filter_settings(const FrameHeader& header, const CodingContext& context);

// A raster to reconstruct into, its borders set for intra prediction.
std::shared_ptr<Raster> begin_raster(int width, int height);

// Predicts a whole macroblock into the raster, except for B_PRED's luma: its subblocks are
// predicted one by one, each from the finished ones before it.
void predict_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                        int mb_row, int mb_col, Raster& raster);

// Adds the residue to a predicted macroblock, except for B_PRED's luma.
void add_residue(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                 const QuantizerSteps& steps, int mb_row, int mb_col, Raster& raster);

// Finishes a macroblock whose pixels are reconstructed.
void end_macroblock(int mb_row, int mb_col, Raster& raster);

// Predicts, adds the residue and finishes. `coefficients` matter only if the macroblock has
// tokens.
void reconstruct_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                            const MacroblockCoefficients& coefficients, int mb_row, int mb_col,
                            Raster& raster);

}  // namespace vp8
