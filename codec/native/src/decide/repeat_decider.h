// Deciding again how a macroblock is coded that was decided before against other
// references.
#pragma once

#include "decide/effort.h"
#include "decide/macroblock_trial.h"

namespace vp8 {

// Takes a fraction of a search's time: tries the old vectors and what the neighbours
// suggest now, and intra modes only if they promise something.
class RepeatDecider {
 public:
  RepeatDecider(RowWriter& row, const RepeatEffort& effort) : trial_(row), effort_(effort) {}

  // Decides the next macroblock of the row and commits it.
  void decide(int column, const MacroblockInfo& old);

 private:
  // Leaves the prediction of its choice in the target.
  void try_inter(const MacroblockInfo& old);
  // Names the parts' vectors anew, from the neighbours as they are now. Returns whether
  // they all have names.
  bool name_split(MacroblockInfo& info, const MvCandidates& suggested, Rate& rate) const;
  bool intra_promises() const;

  MacroblockTrial trial_;
  const RepeatEffort effort_;
};

}  // namespace vp8
