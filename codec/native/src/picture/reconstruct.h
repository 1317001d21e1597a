// From modes and coefficients to a finished raster: prediction, residue, loop
// filter. The one path that decode, encode and rebase share.
#pragma once

#include "bitstream/frame_header.h"
#include "bitstream/macroblock_grid.h"
#include "bitstream/tokens.h"
#include "picture/inter_prediction.h"
#include "picture/loop_filter.h"
#include "picture/quantization.h"
#include "picture/state.h"

namespace vp8 {

// What reconstructing the macroblocks of one frame needs, computed once.
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

// Predicts a whole macroblock into the raster, B_PRED's luma excepted: its
// subblocks are predicted one by one, each from the finished ones before it.
void predict_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                        int mb_row, int mb_col, Raster& raster);

// Adds the residue to a predicted macroblock, B_PRED's luma excepted.
void add_residue(const MacroblockInfo& info, const MacroblockCoefficients& coefficients,
                 const QuantizerSteps& steps, int mb_row, int mb_col, Raster& raster);

// What remains to be done for a macroblock once its pixels are there.
void end_macroblock(int mb_row, int mb_col, Raster& raster);

// All of it. `coefficients` are looked at only where the macroblock has tokens.
void reconstruct_macroblock(const ReconstructionContext& context, const MacroblockInfo& info,
                            const MacroblockCoefficients& coefficients, int mb_row, int mb_col,
                            Raster& raster);

}  // namespace vp8
