#include "operations/encode.h"

#include <string>

#include "common/status.h"
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
  if (!header.start.key_frame && effort.first_look > 0) {
    look_first(*before, *source, header, context, segment_map, effort.first_look, team);
  }
  const int filter_step =
      settings.filter_level < 0 ? effort.filter_step : FrameWriter::kNoFilterSearch;
  FrameWriter writer(before, *source, header, context, std::move(segment_map), filter_step, team);
  decide_rows(writer, effort, {.first = 0, .every = 1, .count = source->macroblock_rows()}, team);
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
  auto map = std::make_shared<const SegmentMap>(
      static_cast<std::size_t>(source->macroblock_columns() * source->macroblock_rows()));
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
  header.refresh_golden = settings.refresh_golden;
  header.refresh_altref = settings.refresh_altref;
  if (!settings.refresh_golden) header.copy_to_golden = settings.copy_to_golden;
  if (!settings.refresh_altref) header.copy_to_altref = settings.copy_to_altref;
  return encode(before.get(), source, header, context, before->segment_map, settings, team);
}

}  // namespace vp8
