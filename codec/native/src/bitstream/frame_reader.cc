#include "bitstream/frame_reader.h"

#include <cstring>
#include <string>

#include "bitstream/macroblock_header.h"
#include "common/status.h"

namespace vp8 {
namespace {

FrameStart checked_start(const ReadingState* before, const std::uint8_t* data, std::size_t size) {
  const FrameStart start = parse_frame_start(data, size);
  if (!start.key_frame && before == nullptr) {
    throw CodecError(Status::kInvalidBitstream, "a stream cannot begin with an inter frame");
  }
  if (start.first_partition_size > size - start.size_bytes()) {
    throw CodecError(Status::kTruncatedBitstream,
                     "the first partition has " + std::to_string(start.first_partition_size) +
                         " bytes, of which " + std::to_string(size - start.size_bytes()) +
                         " are there");
  }
  // The modes of a key frame's macroblock cost more than two bits, so a size that the data
  // cannot fill is refused before memory is taken for it.
  const std::size_t macroblocks = static_cast<std::size_t>((start.width + 15) / 16) *
                                  static_cast<std::size_t>((start.height + 15) / 16);
  if (start.key_frame && start.first_partition_size * 8 < macroblocks) {
    throw CodecError(Status::kTruncatedBitstream,
                     "a first partition of " + std::to_string(start.first_partition_size) +
                         " bytes cannot hold a frame of " + std::to_string(start.width) + "x" +
                         std::to_string(start.height));
  }
  return start;
}

MacroblockGrid grid_of(const FrameStart& start, const ReadingState* before) {
  if (start.key_frame) return {(start.height + 15) / 16, (start.width + 15) / 16};
  return {before->macroblock_rows(), before->macroblock_columns()};
}

}  // namespace

FrameReader::FrameReader(const ReadingState* before, const std::uint8_t* data, std::size_t size)
    : before_(before),
      start_(checked_start(before, data, size)),
      first_partition_(data + start_.size_bytes(), start_.first_partition_size),
      context_(start_.key_frame ? key_frame_context() : before->context),
      header_(parse_frame_header(first_partition_, start_, context_)),
      token_probabilities_(context_.entropy.coefficients),
      macroblocks_(grid_of(start_, before)),
      above_(static_cast<std::size_t>(macroblocks_.columns())) {
  const std::size_t used = start_.size_bytes() + start_.first_partition_size;
  split_partitions(data + used, size - used);
}

// Section 9.5: three bytes of size for each token partition but the last.
void FrameReader::split_partitions(const std::uint8_t* data, std::size_t size) {
  const std::size_t count = std::size_t{1} << header_.log2_partitions;
  const std::size_t sizes_bytes = 3 * (count - 1);
  if (size < sizes_bytes) {
    throw CodecError(Status::kTruncatedBitstream, "the frame ends within its partition sizes");
  }
  const std::uint8_t* sizes = data;
  data += sizes_bytes;
  size -= sizes_bytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t partition = size;
    if (i + 1 < count) {
      const std::uint8_t* p = sizes + 3 * i;
      partition = static_cast<std::size_t>(p[0] | p[1] << 8 | p[2] << 16);
    }
    if (partition > size) {
      throw CodecError(Status::kTruncatedBitstream, "token partition " + std::to_string(i) +
                                                        " has " + std::to_string(partition) +
                                                        " bytes, of which " + std::to_string(size) +
                                                        " are there");
    }
    partitions_[i] = BoolDecoder(data, partition);
    data += partition;
    size -= partition;
  }
}

void FrameReader::read_modes(int row, int column) {
  int segment = 0;
  if (!start_.key_frame && !header_.segmentation.update_map) {
    segment =
        (*before_->segment_map)[static_cast<std::size_t>(row * macroblocks_.columns() + column)];
  }
  read_macroblock_header(first_partition_, header_, context_, macroblocks_, row, column, segment);
  if (first_partition_.overran()) {
    throw CodecError(Status::kTruncatedBitstream, "the first partition ends early");
  }
}

void FrameReader::read_macroblock(int row, int column, MacroblockCoefficients& coefficients) {
  read_modes(row, column);
  if (column == 0) left_ = {};
  MacroblockInfo& info = macroblocks_.at(row, column);
  TokenContext& above = above_[static_cast<std::size_t>(column)];
  if (info.skip) {
    above.clear(info.has_y2());
    left_.clear(info.has_y2());
    return;
  }
  const int last_partition = (1 << header_.log2_partitions) - 1;
  BoolDecoder& decoder = partitions_[row & last_partition];
  info.has_tokens = read_macroblock_tokens(decoder, token_probabilities_, info.has_y2(), above,
                                           left_, coefficients);
  if (decoder.overran()) {
    throw CodecError(Status::kTruncatedBitstream, "a token partition ends early");
  }
}

std::shared_ptr<const SegmentMap> FrameReader::segment_map() const {
  if (!start_.key_frame && !header_.segmentation.update_map) return before_->segment_map;
  return segments_of(macroblocks_);
}

}  // namespace vp8
