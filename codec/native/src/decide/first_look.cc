#include "decide/first_look.h"

#include "decide/search_decider.h"

namespace vp8 {

void look_first(const State& before, const Raster& source, FrameHeader& header,
                const CodingContext& context, const std::shared_ptr<const SegmentMap>& segment_map,
                const FarVectors* far, int every, ThreadTeam& team) {
  const int first = every / 2;
  const int rows = (source.macroblock_rows() - first + every - 1) / every;
  if (rows <= 0) return;
  // The filter's level is not needed, so nothing follows behind to filter.
  FrameWriter writer(&before, source, header, context, segment_map, kFirstLook.filter, team);
  if (every > 1) {
    for (int i = 0; i < rows; ++i) writer.pretend_above(first + i * every);
  }
  decide_rows(writer, kFirstLook, far, {.first = first, .every = every, .count = rows}, team);
  writer.estimate_modes(header);
}

}  // namespace vp8
