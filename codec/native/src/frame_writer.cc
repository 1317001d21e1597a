#include "frame_writer.h"

#include "entropy_update.h"
#include "filter_search.h"
#include "serialize_frame.h"
#include "state_update.h"

namespace vp8 {

FrameWriter::FrameWriter(const State* before, const Raster& source, const FrameHeader& header,
                         const CodingContext& context,
                         std::shared_ptr<const SegmentMap> segment_map)
    : before_(before),
      source_(source),
      header_(header),
      context_(context),
      segment_map_(std::move(segment_map)),
      macroblocks_(source.macroblock_rows(), source.macroblock_columns()),
      coefficients_(static_cast<std::size_t>(macroblocks_.rows() * macroblocks_.columns())),
      above_(static_cast<std::size_t>(macroblocks_.columns())),
      reconstruction_(before, header, context),
      raster_(begin_raster(source.width(), source.height())),
      rates_(context.entropy.coefficients),
      activity_mask_(source) {
  for (const QuantizerSteps& steps : reconstruction_.steps) lagrangians_.emplace_back(steps.y[1]);
}

Lagrangian FrameWriter::lagrangian(int row, int column) const {
  const auto segment = static_cast<std::size_t>(segment_at(row, column));
  return activity_mask_.apply(lagrangians_[segment], row, column);
}

int FrameWriter::segment_at(int row, int column) const {
  return (*segment_map_)[static_cast<std::size_t>(row * macroblocks_.columns() + column)];
}

MacroblockPixels FrameWriter::source_at(int row, int column) const {
  MacroblockPixels found;
  for (int i = 0; i < kPlanes; ++i) {
    const int block = i == 0 ? 16 : 8;
    const Plane plane = source_.plane(i);
    found.pixels[i] = const_cast<std::uint8_t*>(plane.at(column * block, row * block));
    found.stride[i] = plane.stride;
  }
  return found;
}

void FrameWriter::commit(int row, int column, const MacroblockInfo& info,
                         const MacroblockCoefficients& coefficients) {
  MacroblockInfo& decided = macroblocks_.at(row, column);
  decided = info;
  decided.has_tokens = has_tokens(info.has_y2(), coefficients);
  decided.skip = !decided.has_tokens;
  if (column == 0) left_ = {};
  TokenContext& above = above_[static_cast<std::size_t>(column)];
  MacroblockCoefficients& kept =
      coefficients_[static_cast<std::size_t>(row * macroblocks_.columns() + column)];
  if (decided.skip) {
    kept.clear();
    above.clear(info.has_y2());
    left_.clear(info.has_y2());
  } else {
    kept = coefficients;
    for_each_block(info.has_y2(), above, left_, [&](BlockType, int block, int first, int) {
      return coefficients.ends[block] > first;
    });
  }
  reconstruct_macroblock(reconstruction_, decided, kept, row, column, *raster_);
}

EncodedFrame FrameWriter::finish(bool search_filter_level) {
  if (search_filter_level) {
    header_.loop_filter.level =
        best_filter_level(source_, *raster_, macroblocks_, loop_filter_settings(header_, context_),
                          header_.loop_filter.level);
  }
  const CodingContext before = header_.start.key_frame ? key_frame_context() : before_->context;
  choose_probabilities(header_, context_, macroblocks_, coefficients_);
  EncodedFrame encoded;
  encoded.bytes = serialize_frame(header_, before, context_, macroblocks_, coefficients_);
  filter_frame(*raster_, macroblocks_, loop_filter_settings(header_, context_));
  for (int row = 0; row < macroblocks_.rows(); ++row) raster_->extend_row(row);
  encoded.state = next_state(before_, header_, context_, raster_, segment_map_);
  return encoded;
}

}  // namespace vp8
