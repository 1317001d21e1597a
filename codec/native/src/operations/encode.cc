#include "operations/encode.h"

#include <string>

#include "common/status.h"
#include "decide/filter_search.h"
#include "decide/first_look.h"
#include "decide/search_decider.h"

namespace vp8 {
namespace {

// Smooth macroblocks need more filtering, moving and golden ones less.
constexpr LoopFilterDeltas kDeltas{{2, 0, -2, -2}, {4, -2, 2, 4}};

// Decisions assume these probabilities, which are known only after them; a first look at the
// frame makes better ones.
constexpr Probability kAssumedSkipFalse = 160;
constexpr Probability kAssumedIntra = 30;
constexpr Probability kAssumedLast = 220;
constexpr Probability kAssumedGolden = 128;

void check(const EncodeSettings& settings) {
  if (settings.y_ac_qi < 0 || settings.y_ac_qi > kMaxQuantizerIndex) {
    throw CodecError(Status::kInvalidArgument,
                     "y_ac_qi is 0 to 127, not " + std::to_string(settings.y_ac_qi));
  }
  if (settings.filter_level < -1 || settings.filter_level > kMaxLoopFilterLevel) {
    throw CodecError(Status::kInvalidArgument, "a filter level is 0 to 63, or -1 to search, not " +
                                                   std::to_string(settings.filter_level));
  }
  if (settings.effort < 0 || settings.effort > kHighestEffort) {
    throw CodecError(Status::kInvalidArgument,
                     "an effort is 0 to 4, not " + std::to_string(settings.effort));
  }
}

void check(const SegmentSettings& segments, const Raster& source) {
  const auto within = [](const std::array<int, kMaxSegments>& deltas, int limit, const char* name) {
    for (const int delta : deltas) {
      if (delta >= -limit && delta <= limit) continue;
      throw CodecError(Status::kInvalidArgument,
                       std::string("a segment's ") + name + " delta is -" + std::to_string(limit) +
                           " to " + std::to_string(limit) + ", not " + std::to_string(delta));
    }
  };
  within(segments.quantizer_deltas, kMaxQuantizerIndex, "quantizer");
  within(segments.filter_deltas, kMaxLoopFilterLevel, "filter");
  if (segments.map == nullptr) return;
  const auto macroblocks =
      static_cast<std::size_t>(source.macroblock_columns() * source.macroblock_rows());
  if (segments.map->size() != macroblocks) {
    throw CodecError(Status::kInvalidArgument,
                     "a segment map of " + std::to_string(segments.map->size()) +
                         " macroblocks for a picture of " + std::to_string(macroblocks));
  }
  for (const std::uint8_t segment : *segments.map) {
    if (segment < kMaxSegments) continue;
    throw CodecError(Status::kInvalidArgument,
                     "a segment is 0 to 3, not " + std::to_string(segment));
  }
}

// Puts the segments into the header. `map` is the map before the frame, and becomes the one
// of the frame.
void set_segments(const EncodeSettings& settings, FrameHeader& header, CodingContext& context,
                  std::shared_ptr<const SegmentMap>& map) {
  const SegmentSettings& segments = *settings.segments;
  Segmentation wanted{};
  for (std::size_t i = 0; i < kMaxSegments; ++i) {
    wanted.quantizer[i] = static_cast<std::int8_t>(segments.quantizer_deltas[i]);
    wanted.loop_filter[i] = static_cast<std::int8_t>(segments.filter_deltas[i]);
  }
  if (settings.filter_level >= 0) keep_levels_in_range(settings.filter_level, wanted);
  header.segmentation.enabled = true;
  header.segmentation.update_data = !(context.segmentation == wanted);
  context.segmentation = wanted;
  header.segmentation.update_map = segments.map != nullptr;
  if (segments.map != nullptr) map = segments.map;
}

void send_changed(const std::array<std::int8_t, 4>& wanted, std::array<std::int8_t, 4>& values,
                  std::array<std::optional<std::int8_t>, 4>& sent, bool& update) {
  for (std::size_t i = 0; i < 4; ++i) {
    if (values[i] == wanted[i]) continue;
    sent[i] = values[i] = wanted[i];
    update = true;
  }
}

FrameHeader frame_header(const EncodeSettings& settings, CodingContext& context) {
  FrameHeader header;
  header.start.show_frame = settings.show;
  header.refresh_entropy = settings.refresh_entropy;
  header.quantizer.y_ac_qi = settings.y_ac_qi;
  header.mb_no_skip_coeff = true;
  header.prob_skip_false = kAssumedSkipFalse;
  header.prob_intra = kAssumedIntra;
  header.prob_last = kAssumedLast;
  header.prob_golden = kAssumedGolden;
  LoopFilterHeader& filter = header.loop_filter;
  filter.level = settings.filter_level >= 0 ? settings.filter_level : settings.y_ac_qi * 3 / 8;
  filter.deltas_enabled = true;
  send_changed(kDeltas.reference, context.loop_filter_deltas.reference, filter.reference_deltas,
               filter.deltas_update);
  send_changed(kDeltas.mode, context.loop_filter_deltas.mode, filter.mode_deltas,
               filter.deltas_update);
  return header;
}

EncodedFrame encode(const State* before, const SharedRaster& picture, FrameHeader header,
                    const CodingContext& context, std::shared_ptr<const SegmentMap> segment_map,
                    const EncodeSettings& settings, ThreadTeam& team) {
  const SharedRaster source = with_repeated_edges(picture);
  const SearchEffort& effort = kEfforts[settings.effort];
  std::optional<FarVectors> far;
  if (!header.start.key_frame && effort.far_vectors) far.emplace(*before, *source, team);
  const FarVectors* const vectors = far ? &*far : nullptr;
  if (!header.start.key_frame && effort.first_look > 0) {
    look_first(*before, *source, header, context, segment_map, vectors, effort.first_look, team);
  }
  const FilterEffort filter = settings.filter_level < 0 ? effort.filter : kNoFilterSearch;
  FrameWriter writer(before, *source, header, context, std::move(segment_map), filter, team);
  decide_rows(writer, effort, vectors, {.first = 0, .every = 1, .count = source->macroblock_rows()},
              team);
  SharedState after = writer.finish(team);
  return {writer.serialize(), std::move(after)};
}

}  // namespace

EncodedFrame encode_key_frame(const SharedRaster& source, const EncodeSettings& settings,
                              ThreadTeam& team) {
  check(settings);
  CodingContext context = key_frame_context();
  FrameHeader header = frame_header(settings, context);
  header.start.key_frame = true;
  header.start.width = source->width();
  header.start.height = source->height();
  std::shared_ptr<const SegmentMap> map = std::make_shared<const SegmentMap>(
      static_cast<std::size_t>(source->macroblock_columns() * source->macroblock_rows()));
  if (settings.segments) {
    check(*settings.segments, *source);
    set_segments(settings, header, context, map);
  }
  return encode(nullptr, source, header, context, std::move(map), settings, team);
}

EncodedFrame encode_inter_frame(const SharedState& before, const SharedRaster& source,
                                const EncodeSettings& settings, ThreadTeam& team) {
  check(settings);
  if (before->width != source->width() || before->height != source->height()) {
    throw CodecError(Status::kStateMismatch,
                     "a raster of " + std::to_string(source->width()) + "x" +
                         std::to_string(source->height()) + " cannot follow a state of " +
                         std::to_string(before->width) + "x" + std::to_string(before->height));
  }
  CodingContext context = before->context;
  FrameHeader header = frame_header(settings, context);
  header.refresh_last = settings.refresh_last;
  header.refresh_golden = settings.refresh_golden;
  header.refresh_altref = settings.refresh_altref;
  if (!settings.refresh_golden) header.copy_to_golden = settings.copy_to_golden;
  if (!settings.refresh_altref) header.copy_to_altref = settings.copy_to_altref;
  context.sign_bias[kGoldenFrame] =
      settings.golden_sign_bias.value_or(context.sign_bias[kGoldenFrame]);
  context.sign_bias[kAltrefFrame] =
      settings.altref_sign_bias.value_or(context.sign_bias[kAltrefFrame]);
  std::shared_ptr<const SegmentMap> map = before->segment_map;
  if (settings.segments) {
    check(*settings.segments, *source);
    set_segments(settings, header, context, map);
  }
  return encode(before.get(), source, header, context, std::move(map), settings, team);
}

}  // namespace vp8
