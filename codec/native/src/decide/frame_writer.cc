#include "decide/frame_writer.h"

#include <cstring>
#include <memory>
#include <utility>

#include "bitstream/macroblock_header.h"
#include "decide/filter_search.h"
#include "picture/state_update.h"

namespace vp8 {
namespace {

// What a bit is worth in a key frame, in 65536ths of its worth elsewhere: every frame until the
// next key frame gains by what a key frame does better.
constexpr std::int64_t kKeyFrameBit = 65536 * 4 / 5;

// Every frame has skip flags.
FrameHeader with_skip_flags(FrameHeader header) {
  if (!header.mb_no_skip_coeff) header.prob_skip_false = 128;
  header.mb_no_skip_coeff = true;
  return header;
}

}  // namespace

FrameWriter::FrameWriter(const State* before, const Raster& source, const FrameHeader& header,
                         const CodingContext& context,
                         std::shared_ptr<const SegmentMap> segment_map,
                         const FilterEffort& filter_effort, ThreadTeam& team)
    : before_(before),
      source_(source),
      header_(with_skip_flags(header)),
      context_before_(header.start.key_frame ? key_frame_context() : before->context),
      context_(context),
      segment_map_(std::move(segment_map)),
      macroblocks_(source.macroblock_rows(), source.macroblock_columns()),
      mode_bits_(static_cast<std::size_t>(macroblocks_.rows())),
      tokens_(static_cast<std::size_t>(macroblocks_.rows())),
      above_(static_cast<std::size_t>(macroblocks_.columns())),
      reconstruction_(before, header, context),
      raster_(begin_raster(source.width(), source.height())),
      filter_settings_(loop_filter_settings(header, context)),
      filter_effort_(filter_effort),
      token_rates_(context.entropy.coefficients),
      mode_rates_(header_, context),
      activity_mask_(source, team) {
  if (filter_effort.first_step == 0)
    filter_behind_.emplace(*raster_, macroblocks_, filter_settings_, team);
  for (const QuantizerSteps& steps : reconstruction_.steps) {
    const Lagrangian lagrangian(steps.y[1]);
    lagrangians_.push_back(header.start.key_frame ? lagrangian.scaled(kKeyFrameBit) : lagrangian);
    quantizers_.emplace_back(steps);
  }
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

void FrameWriter::pretend_above(int row) {
  if (row == 0) return;
  for (int i = 0; i < kPlanes; ++i) {
    const int y = row * (i == 0 ? 16 : 8) - 1;
    const Plane plane = source_.plane(i);
    std::memcpy(raster_->mutable_plane(i).at(0, y), plane.at(0, y),
                static_cast<std::size_t>(plane.width));
  }
  // The last macroblock sees pixels beyond the end of the line, too.
  end_macroblock(row - 1, macroblocks_.columns() - 1, *raster_);
  for (int column = 0; column < macroblocks_.columns(); ++column) {
    std::construct_at(&macroblocks_.at(row - 1, column));
  }
}

SharedState FrameWriter::finish(ThreadTeam& team) {
  if (!filter_behind_) {
    header_.loop_filter =
        best_filter(source_, *raster_, macroblocks_, header_, context_, filter_effort_, team);
    if (header_.segmentation.enabled) {
      keep_levels_in_range(header_.loop_filter.level, context_.segmentation);
      header_.segmentation.update_data = !(context_.segmentation == context_before_.segmentation);
    }
    filter_settings_ = loop_filter_settings(header_, context_);
    filter_frame(*raster_, macroblocks_, filter_settings_, team);
  }
  if (header_.segmentation.update_map) segment_map_ = segments_of(macroblocks_);
  choose_probabilities(header_, context_, counts_);
  return next_state(before_, header_, context_, raster_, segment_map_);
}

std::vector<std::uint8_t> FrameWriter::serialize() const {
  return serialize_frame(header_, context_before_, context_, mode_bits_, tokens_);
}

RowWriter::RowWriter(FrameWriter& frame, int row)
    : frame_(frame), row_(row), tokens_(frame.tokens_[static_cast<std::size_t>(row)]) {}

RowWriter::~RowWriter() {
  const std::lock_guard lock(frame_.counts_mutex_);
  frame_.counts_ += counts_;
}

void RowWriter::commit(int column, const MacroblockInfo& info, const MvCandidates& suggested,
                       const MacroblockCoefficients& coefficients, bool predicted) {
  MacroblockInfo& decided = frame_.macroblocks_.at(row_, column);
  decided = info;
  decided.has_tokens = has_tokens(info.has_y2(), coefficients);
  decided.skip = !decided.has_tokens;
  TokenContext& above = frame_.above_[static_cast<std::size_t>(column)];
  if (decided.skip) {
    above.clear(info.has_y2());
    left_.clear(info.has_y2());
  } else {
    Token tokens[kBlocksPerMacroblock * kMaxTokensPerBlock];
    Token* last = tokens;
    for_each_block(
        info.has_y2(), above, left_, [&](BlockType type, int block, int first, int context) {
          last = tokenize_block(coefficients.values[block], coefficients.ends[block], type, first,
                                context, last, [&](Token token) { counts_.add(token); });
          return coefficients.ends[block] > first;
        });
    tokens_.insert(tokens_.end(), tokens, last);
  }
  ModeRecorder recorder(counts_, frame_.mode_bits_[static_cast<std::size_t>(row_)], frame_.header_,
                        frame_.context_.entropy);
  write_macroblock_header(recorder, frame_.header_, frame_.context_, frame_.macroblocks_, row_,
                          column, suggested);
  if (predicted) {
    if (decided.has_tokens) {
      add_residue(decided, coefficients, frame_.reconstruction_.steps_of(decided), row_, column,
                  *frame_.raster_);
    }
    end_macroblock(row_, column, *frame_.raster_);
  } else {
    reconstruct_macroblock(frame_.reconstruction_, decided, coefficients, row_, column,
                           *frame_.raster_);
  }
  if (frame_.filter_behind_) frame_.filter_behind_->reconstructed(row_, column);
}

}  // namespace vp8
