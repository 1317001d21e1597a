// Deciding how a macroblock is coded, searching from nothing.
#pragma once

#include <vector>

#include "decide/effort.h"
#include "decide/macroblock_trial.h"
#include "decide/motion_search.h"

namespace vp8 {

class SearchDecider {
 public:
  SearchDecider(RowWriter& row, const SearchEffort& effort) : trial_(row), effort_(effort) {}

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
  void try_splits(const MacroblockInfo& whole);
  // Fills in the vectors of a partitioning and the rate of naming them; returns their
  // cost by Hadamard differences.
  Cost search_split(SplitPartitioning partitioning, MacroblockInfo& info, Rate& rate) const;
  SplitPart choose_part(const MotionSearch& search, const SearchBlock& block, MotionVector whole,
                        MotionVector left, MotionVector above, const VectorEffort& effort) const;
  MotionSearch motion_search(const Plane& plane, MotionVector predicted) const;
  SearchBlock search_block(int x, int y, int width, int height) const;

  MacroblockTrial trial_;
  const SearchEffort effort_;
};

}  // namespace vp8
