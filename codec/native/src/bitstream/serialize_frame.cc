#include "bitstream/serialize_frame.h"

#include "bitstream/bool_encoder.h"
#include "common/status.h"

namespace vp8 {
namespace {

constexpr std::size_t kMaxFirstPartition = (1u << 19) - 1;
constexpr std::size_t kMaxTokenPartition = (1u << 24) - 1;

// A writer that keeps the encoder's window in registers.
struct WindowWriter {
  BoolEncoder& encoder;
  BoolEncoder::Window window;

  void write(bool bit, Probability probability) { encoder.write(window, bit, probability); }
};

std::vector<std::uint8_t> first_partition(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context, const ModeRows& modes) {
  BoolEncoder encoder;
  write_frame_header(encoder, header, before, context);
  WindowWriter writer{encoder, encoder.window()};
  for (const auto& row : modes) {
    for (const ModeBit& mode : row) writer.write(mode.bit, *mode.probability);
  }
  encoder.set_window(writer.window);
  return encoder.finish();
}

void write_row(BoolEncoder& encoder, const std::vector<Token>& tokens,
               const CoefficientProbabilities& probabilities) {
  const Probability* table = &probabilities[0][0][0][0];
  WindowWriter writer{encoder, encoder.window()};
  for (const Token token : tokens) write_token(writer, token, table + 11 * token.place());
  encoder.set_window(writer.window);
}

std::vector<std::vector<std::uint8_t>> token_partitions(const FrameHeader& header,
                                                        const CodingContext& context,
                                                        const TokenRows& tokens) {
  std::vector<BoolEncoder> encoders(std::size_t{1} << header.log2_partitions);
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    write_row(encoders[row & (encoders.size() - 1)], tokens[row], context.entropy.coefficients);
  }
  std::vector<std::vector<std::uint8_t>> partitions;
  for (BoolEncoder& encoder : encoders) partitions.push_back(encoder.finish());
  return partitions;
}

// Everything before the token partitions.
std::vector<std::uint8_t> begin_frame(const FrameHeader& header, const CodingContext& before,
                                      const CodingContext& context, const ModeRows& modes) {
  const std::vector<std::uint8_t> first = first_partition(header, before, context, modes);
  if (first.size() > kMaxFirstPartition) {
    throw CodecError(Status::kInvalidArgument,
                     "the modes of this frame need more than a VP8 frame can hold");
  }
  FrameStart start = header.start;
  start.first_partition_size = first.size();
  std::vector<std::uint8_t> frame = write_frame_start(start);
  frame.insert(frame.end(), first.begin(), first.end());
  return frame;
}

}  // namespace

std::vector<std::uint8_t> serialize_frame(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context, const ModeRows& modes,
                                          const TokenRows& tokens) {
  std::vector<std::uint8_t> frame = begin_frame(header, before, context, modes);
  const auto partitions = token_partitions(header, context, tokens);
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

std::vector<std::uint8_t> serialize_frame(const FrameHeader& header, const CodingContext& before,
                                          const CodingContext& context, const ModeRows& modes,
                                          std::span<const std::uint8_t> token_partitions) {
  std::vector<std::uint8_t> frame = begin_frame(header, before, context, modes);
  frame.insert(frame.end(), token_partitions.begin(), token_partitions.end());
  return frame;
}

}  // namespace vp8
