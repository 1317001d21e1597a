// A frame as bytes (RFC 6386, section 9.2 and 9.5): start, first partition, token
// partitions.
#pragma once

#include <span>
#include <vector>

#include "bitstream/frame_header.h"
#include "bitstream/tokens.h"

namespace vp8 {

// A decision that waits to be written. Its probability may change until then, but not its
// address.
struct ModeBit {
  const Probability* probability;
  bool bit;
};

// The modes and the tokens of each macroblock row, in bitstream order. The modes'
// probabilities are in `header` and `context`.
using ModeRows = std::vector<std::vector<ModeBit>>;
using TokenRows = std::vector<std::vector<Token>>;

// `before` is the decoder's context, `context` the one within the frame. Throws
// CodecError(kInvalidArgument) if a partition is too large for its size field.
std::vector<std::uint8_t> serialize_frame(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context, const ModeRows& modes,
                                          const TokenRows& tokens);

// The same for token partitions that are written already, with their sizes before them.
std::vector<std::uint8_t> serialize_frame(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context, const ModeRows& modes,
                                          std::span<const std::uint8_t> token_partitions);

}  // namespace vp8
