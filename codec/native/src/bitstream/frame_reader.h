// Takes a frame apart: header, partitions, then macroblock by macroblock.
#pragma once

#include <memory>

#include "bitstream/frame_header.h"
#include "bitstream/macroblock_grid.h"
#include "bitstream/reading_state.h"
#include "bitstream/tokens.h"

namespace vp8 {

class FrameReader {
 public:
  // Reads everything up to the first macroblock. `before` may be null for a key
  // frame. The data must outlive the reader. Throws CodecError.
  FrameReader(const ReadingState* before, const std::uint8_t* data, std::size_t size);

  const FrameHeader& header() const { return header_; }
  // The context within the frame.
  const CodingContext& context() const { return context_; }
  MacroblockGrid& macroblocks() { return macroblocks_; }
  const MacroblockGrid& macroblocks() const { return macroblocks_; }

  // Reads the next macroblock in raster order: its header into the grid, its tokens into
  // `coefficients`, which stay as they are if it is skipped.
  void read_macroblock(int row, int column, MacroblockCoefficients& coefficients);

  // Reads only the header of the next macroblock, for callers that do not need tokens.
  void read_modes(int row, int column);

  // The map after the frame: the state's own if the frame does not change it.
  std::shared_ptr<const SegmentMap> segment_map() const;

 private:
  void split_partitions(const std::uint8_t* data, std::size_t size);

  const ReadingState* before_;
  FrameStart start_;
  BoolDecoder first_partition_;
  CodingContext context_;
  FrameHeader header_;
  TokenProbabilities token_probabilities_;
  MacroblockGrid macroblocks_;
  BoolDecoder partitions_[kMaxPartitions];
  std::vector<TokenContext> above_;
  TokenContext left_;
};

}  // namespace vp8
