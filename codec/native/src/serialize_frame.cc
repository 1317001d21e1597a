#include "serialize_frame.h"

#include "bool_encoder.h"
#include "coded_blocks.h"
#include "macroblock.h"
#include "status.h"

namespace vp8 {
namespace {

constexpr std::size_t kMaxFirstPartition = (1u << 19) - 1;
constexpr std::size_t kMaxTokenPartition = (1u << 24) - 1;

struct TokenSink {
  const BlockProbabilities& probabilities;
  BoolEncoder& encoder;

  void branch(int band, int context, int node, bool bit) {
    encoder.write(bit, probabilities[static_cast<std::size_t>(band)][static_cast<std::size_t>(
                           context)][static_cast<std::size_t>(node)]);
  }
  void extra(bool bit, Probability probability) { encoder.write(bit, probability); }
};

std::vector<std::uint8_t> first_partition(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context,
                                          const MacroblockGrid& macroblocks) {
  BoolEncoder encoder;
  write_frame_header(encoder, header, before, context);
  for (int row = 0; row < macroblocks.rows(); ++row) {
    for (int column = 0; column < macroblocks.columns(); ++column) {
      write_macroblock_header(encoder, header, context, macroblocks, row, column);
    }
  }
  return encoder.finish();
}

std::vector<std::vector<std::uint8_t>> token_partitions(
    const FrameHeader& header, const CodingContext& context, const MacroblockGrid& macroblocks,
    const std::vector<MacroblockCoefficients>& coefficients) {
  std::vector<BoolEncoder> encoders(std::size_t{1} << header.log2_partitions);
  for_each_coded_block(
      macroblocks, coefficients,
      [&](int row, BlockType type, const std::int16_t* values, int end, int first, int at) {
        BoolEncoder& encoder = encoders[static_cast<std::size_t>(row) & (encoders.size() - 1)];
        walk_block_tokens(values, end, first, at,
                          TokenSink{context.entropy.coefficients[type], encoder});
      });
  std::vector<std::vector<std::uint8_t>> partitions;
  for (BoolEncoder& encoder : encoders) partitions.push_back(encoder.finish());
  return partitions;
}

}  // namespace

std::vector<std::uint8_t> serialize_frame(FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context,
                                          const MacroblockGrid& macroblocks,
                                          const std::vector<MacroblockCoefficients>& coefficients) {
  const std::vector<std::uint8_t> first = first_partition(header, before, context, macroblocks);
  const auto partitions = token_partitions(header, context, macroblocks, coefficients);
  if (first.size() > kMaxFirstPartition) {
    throw CodecError(Status::kInvalidArgument,
                     "the modes of this frame need more than a VP8 frame can hold");
  }
  header.start.first_partition_size = first.size();
  std::vector<std::uint8_t> frame = write_frame_start(header.start);
  frame.insert(frame.end(), first.begin(), first.end());
  for (std::size_t i = 0; i + 1 < partitions.size(); ++i) {
    const std::size_t size = partitions[i].size();
    if (size > kMaxTokenPartition) {
      throw CodecError(Status::kInvalidArgument,
                       "the tokens of this frame need more than a VP8 frame can hold");
    }
    for (int shift = 0; shift < 24; shift += 8) {
      frame.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  for (const auto& partition : partitions) {
    frame.insert(frame.end(), partition.begin(), partition.end());
  }
  return frame;
}

}  // namespace vp8
