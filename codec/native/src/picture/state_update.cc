#include "picture/state_update.h"

#include <utility>

namespace vp8 {
namespace {

// A copy takes the buffer from before the frame, except that golden copied from altref gets
// an altref that was just copied: docs/spec-notes.md, "buffer copies".
void copy_references(const FrameHeader& header,
                     std::array<SharedRaster, kReferenceFrames>& references) {
  if (header.copy_to_altref == BufferCopy::kFromLast) {
    references[kAltrefFrame] = references[kLastFrame];
  } else if (header.copy_to_altref == BufferCopy::kFromOther) {
    references[kAltrefFrame] = references[kGoldenFrame];
  }
  if (header.copy_to_golden == BufferCopy::kFromLast) {
    references[kGoldenFrame] = references[kLastFrame];
  } else if (header.copy_to_golden == BufferCopy::kFromOther) {
    references[kGoldenFrame] = references[kAltrefFrame];
  }
}

}  // namespace

SharedState next_state(const State* before, const FrameHeader& header, const CodingContext& context,
                       SharedRaster raster, std::shared_ptr<const SegmentMap> segment_map) {
  auto after = std::make_shared<State>();
  if (header.start.key_frame) {
    after->width = header.start.width;
    after->height = header.start.height;
    after->horizontal_scale = header.start.horizontal_scale;
    after->vertical_scale = header.start.vertical_scale;
    after->color_space = header.color_space;
    after->clamping_type = header.clamping_type;
  } else {
    *after = *before;
    copy_references(header, after->references);
  }
  if (header.refresh_golden) after->references[kGoldenFrame] = raster;
  if (header.refresh_altref) after->references[kAltrefFrame] = raster;
  if (header.refresh_last) after->references[kLastFrame] = std::move(raster);
  after->context = context;
  if (!header.refresh_entropy) {
    after->context.entropy =
        header.start.key_frame ? key_frame_context().entropy : before->context.entropy;
  }
  after->segment_map = std::move(segment_map);
  return after;
}

}  // namespace vp8
