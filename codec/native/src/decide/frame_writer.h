// A frame in the making: the work after a macroblock's modes and coefficients are decided,
// which encode and rebase share.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "bitstream/frame_header.h"
#include "bitstream/macroblock_grid.h"
#include "bitstream/serialize_frame.h"
#include "decide/activity_mask.h"
#include "decide/effort.h"
#include "decide/entropy_update.h"
#include "decide/mode_rates.h"
#include "decide/rate_distortion.h"
#include "decide/residue_coder.h"
#include "parallel/wavefront.h"
#include "picture/filter_rows.h"
#include "picture/reconstruct.h"
#include "picture/state.h"

namespace vp8 {

struct EncodedFrame {
  std::vector<std::uint8_t> bytes;
  SharedState state;  // what a decoder has after the frame
};

class RowWriter;

class FrameWriter {
 public:
  // `before` may be null for a key frame. `context` has the header's changes of
  // segmentation, deltas and sign biases, and the probabilities from before the frame.
  // `segment_map` is the map before the frame. With kNoFilterSearch the header's
  // filter is final. `before` and `source` must live until finish() returns.
  FrameWriter(const State* before, const Raster& source, const FrameHeader& header,
              const CodingContext& context, std::shared_ptr<const SegmentMap> segment_map,
              const FilterEffort& filter_effort, ThreadTeam& team);

  const FrameHeader& header() const { return header_; }
  const CodingContext& context() const { return context_; }
  const MacroblockGrid& macroblocks() const { return macroblocks_; }
  const ReconstructionContext& reconstruction() const { return reconstruction_; }
  Raster& raster() { return *raster_; }
  const TokenRates& token_rates() const { return token_rates_; }
  const ModeRates& mode_rates() const { return mode_rates_; }
  const SegmentQuantizers& quantizers(int segment) const {
    return quantizers_[static_cast<std::size_t>(segment)];
  }
  // The price of a bit at a macroblock.
  Lagrangian lagrangian(int row, int column, int segment) const {
    return lagrangians_[static_cast<std::size_t>(segment)].scaled(
        activity_mask_.factor(row, column));
  }
  // The segment by the map before the frame.
  int segment_at(int row, int column) const {
    return (*segment_map_)[static_cast<std::size_t>(row * macroblocks_.columns() + column)];
  }

  // The source at a macroblock.
  MacroblockPixels source_at(int row, int column) const;
  MacroblockPixels target_at(int row, int column) {
    return macroblock_pixels(*raster_, row, column);
  }

  // Makes it possible to write a row without the row above: the source's last line of pixels
  // and macroblocks without vectors stand in for it.
  void pretend_above(int row);
  // Sets the header's probabilities of modes from the macroblocks written so far.
  void estimate_modes(FrameHeader& header) const { vp8::estimate_modes(header, counts_); }

  // Called after the last macroblock. Searches for the filter level, unless the filter has
  // followed behind, and chooses probabilities. Returns the state after the frame; only
  // serialize() is left to be done.
  SharedState finish(ThreadTeam& team);
  std::vector<std::uint8_t> serialize() const;

 private:
  friend class RowWriter;

  const State* before_;
  const Raster& source_;
  FrameHeader header_;
  CodingContext context_before_;
  CodingContext context_;
  std::shared_ptr<const SegmentMap> segment_map_;
  MacroblockGrid macroblocks_;
  ModeRows mode_bits_;
  TokenRows tokens_;
  std::vector<TokenContext> above_;
  ReconstructionContext reconstruction_;
  std::shared_ptr<Raster> raster_;
  LoopFilterSettings filter_settings_;
  const FilterEffort filter_effort_;
  std::optional<FilterRows> filter_behind_;
  TokenRates token_rates_;
  ModeRates mode_rates_;
  std::vector<Lagrangian> lagrangians_;        // by segment
  std::vector<SegmentQuantizers> quantizers_;  // by segment
  ActivityMask activity_mask_;
  std::mutex counts_mutex_;
  DecisionCounts counts_;
};

// One macroblock row of a frame, which one thread writes from left to right.
class RowWriter {
 public:
  RowWriter(FrameWriter& frame, int row);
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;
  // Adds the row's counts to the frame's.
  ~RowWriter();

  FrameWriter& frame() { return frame_; }
  int row() const { return row_; }
  // Contexts for the tokens of the macroblock at hand.
  const TokenContext& above(int column) const {
    return frame_.above_[static_cast<std::size_t>(column)];
  }
  const TokenContext& left() const { return left_; }

  // Writes the next macroblock and reconstructs it. `suggested`: what the neighbours
  // suggest for its reference, if it has one. `predicted`: its prediction is in the raster
  // already, and B_PRED's subblocks with their residue. After this the filter and other
  // rows may follow.
  void commit(int column, const MacroblockInfo& info, const MvCandidates& suggested,
              const MacroblockCoefficients& coefficients, bool predicted);

 private:
  FrameWriter& frame_;
  const int row_;
  TokenContext left_;
  std::vector<Token>& tokens_;
  DecisionCounts counts_;
};

}  // namespace vp8
