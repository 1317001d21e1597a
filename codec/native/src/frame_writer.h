// A frame in the making: what encode and rebase share once a macroblock's modes
// and coefficients are decided.
#pragma once

#include <vector>

#include "activity_mask.h"
#include "frame_header.h"
#include "macroblock_grid.h"
#include "rate_distortion.h"
#include "reconstruct.h"
#include "residue_coder.h"
#include "state.h"
#include "tokens.h"

namespace vp8 {

struct EncodedFrame {
  std::vector<std::uint8_t> bytes;
  SharedState state;  // what a decoder has after the frame
};

class FrameWriter {
 public:
  // `before` may be null for a key frame; `context` holds what the header
  // changes of segmentation, deltas and sign biases, and the probabilities from
  // before the frame. `segment_map` is the map after the frame.
  FrameWriter(const State* before, const Raster& source, const FrameHeader& header,
              const CodingContext& context, std::shared_ptr<const SegmentMap> segment_map);

  const FrameHeader& header() const { return header_; }
  const CodingContext& context() const { return context_; }
  MacroblockGrid& macroblocks() { return macroblocks_; }
  const ReconstructionContext& reconstruction() const { return reconstruction_; }
  Raster& raster() { return *raster_; }
  const TokenRates& token_rates() const { return rates_; }
  // What a bit is worth at a macroblock.
  Lagrangian lagrangian(int row, int column) const;
  int segment_at(int row, int column) const;

  // The source and the frame being built, at a macroblock.
  MacroblockPixels source_at(int row, int column) const;
  MacroblockPixels target_at(int row, int column) {
    return macroblock_pixels(*raster_, row, column);
  }
  // Contexts for the tokens of the macroblock at hand.
  const TokenContext& above(int column) const { return above_[static_cast<std::size_t>(column)]; }
  const TokenContext& left(int column) const { return column == 0 ? no_left_ : left_; }

  // Decides the next macroblock in raster order and reconstructs it.
  void commit(int row, int column, const MacroblockInfo& info,
              const MacroblockCoefficients& coefficients);

  // Chooses probabilities and, if asked, the filter level; writes the frame.
  EncodedFrame finish(bool search_filter_level);

 private:
  const State* before_;
  const Raster& source_;
  FrameHeader header_;
  CodingContext context_;
  std::shared_ptr<const SegmentMap> segment_map_;
  MacroblockGrid macroblocks_;
  std::vector<MacroblockCoefficients> coefficients_;
  std::vector<TokenContext> above_;
  TokenContext left_;
  TokenContext no_left_;
  ReconstructionContext reconstruction_;
  std::shared_ptr<Raster> raster_;
  TokenRates rates_;
  std::vector<Lagrangian> lagrangians_;  // by segment
  ActivityMask activity_mask_;
};

}  // namespace vp8
