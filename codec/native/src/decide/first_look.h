// A look at some rows of a frame before it is decided.
//
// Which reference a macroblock takes, and whether its residue is worth coding, depends on
// what it costs to say so. Frames differ much in that: one follows the frame before it,
// another takes half its macroblocks from altref. The probabilities are chosen after the
// decisions, so the decisions need a guess.
#pragma once

#include <memory>

#include "decide/effort.h"
#include "decide/far_vectors.h"
#include "decide/frame_writer.h"

namespace vp8 {

// Decides every nth row of an inter frame roughly (`every` > 0), and sets the header's
// probabilities of skipping and of references from that. The rows' upper neighbours are
// unknown: the source's pixels stand in for them.
void look_first(const State& before, const Raster& source, FrameHeader& header,
                const CodingContext& context, const std::shared_ptr<const SegmentMap>& segment_map,
                const FarVectors* far, int every, ThreadTeam& team);

}  // namespace vp8
