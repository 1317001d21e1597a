// Deciding how a macroblock is coded, searching from nothing.
#pragma once

#include <vector>

#include "decide/effort.h"
#include "decide/far_vectors.h"
#include "decide/macroblock_trial.h"
#include "decide/motion_search.h"

namespace vp8 {

class SearchDecider {
 public:
  // `far` may be null.
  SearchDecider(RowWriter& row, const SearchEffort& effort, const FarVectors* far)
      : trial_(row), effort_(effort), far_(far) {}

  // Decides the next macroblock of the row and commits it.
  void decide(int column);

 private:
  // A way to predict it whole from a reference, weighed by Hadamard differences.
  struct RoughCandidate {
    ReferenceFrame reference;
    MacroblockMode mode;
    MotionVector mv;
    Rate rate;
    Cost cost;
  };
  // How a part of a split gets its vector.
  struct SplitPart {
    SplitMvMode mode;
    MotionVector mv;
    Rate rate;
    Cost cost;
  };

  void try_inter();
  void search_whole(ReferenceFrame reference, Cost& best_by_whole_pixels,
                    std::vector<RoughCandidate>& rough);
  void evaluate_whole(const RoughCandidate& rough);
  void try_splits(const std::vector<RoughCandidate>& rough);
  void try_splits(const MacroblockInfo& whole);
  // Evaluates the partitioning that costs least by Hadamard differences.
  void evaluate_best_split(const MacroblockInfo& whole,
                           std::initializer_list<SplitPartitioning> partitionings);
  // Fills in the vectors of a partitioning and the rate of naming them; returns their
  // cost by Hadamard differences.
  Cost search_split(SplitPartitioning partitioning, MacroblockInfo& info, Rate& rate);
  SplitPart choose_part(const MotionSearch& search, const SearchBlock& block, MotionVector whole,
                        MotionVector left, MotionVector above, const VectorEffort& effort) const;
  MotionSearch motion_search(const Plane& plane, MotionVector predicted) const;
  SearchBlock search_block(int x, int y, int width, int height) const;

  MacroblockTrial trial_;
  // The best whole vector so far, of any reference: where the search in the next one starts, too.
  MotionSearch::Found whole_best_{};
  SearchEverywhere everywhere_{};
  const SearchEffort effort_;
  const FarVectors* const far_;
};

// Rows of a frame: `count` of them from `first` on, each `every` below the one before.
struct RowRange {
  int first;
  int every;
  int count;
};

// Decides and writes rows, which the threads of a team share. `far` may be null.
void decide_rows(FrameWriter& frame, const SearchEffort& effort, const FarVectors* far,
                 const RowRange& rows, ThreadTeam& team);

}  // namespace vp8
