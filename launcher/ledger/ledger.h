// What a restart must remember: `ledger.jsonl` in the run's state, append-only, one JSON record with a CRC a line.
//
// One process writes at a time; the caller's lock guards that. Anybody may read at any time.
// All calls may block as long as the disk does: PID 1 calls them from a helper with a deadline.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "launcher/policy/policy.h"

namespace ledger {

// One answered observation: what moves the history.
struct Step {
  policy::Observation observation;
  policy::Decision decision;
};

// For people and for `status`; no decision reads it. Texts are cut at 1,000 bytes and pass the writer's redaction.
struct Facts {
  std::string pod = {};   // pod id
  std::string host = {};  // host name, or the kernel's boot id
  std::string phase = {};
  std::string text = {};                  // a sentence: the first root error, the reason
  std::string commit = {};                // of the checkout
  std::string checkpoint = {};            // path
  std::string status = {};                // "exit 1", "signal 9"
  std::optional<std::int64_t> step = {};  // of the training
  bool operator==(const Facts&) const = default;
};

struct Record {
  std::uint64_t number = 0;            // set by append: 1, 2, 3 …
  std::int64_t wall_milliseconds = 0;  // since the epoch, for people; set by the caller
  std::string kind;                    // set by append from the step; a note names its own: "phase", "checkpoint"
  std::optional<Step> step;            // absent: a note that changes no history
  Facts facts;
};

// Everything that the records say, folded.
struct Memory {
  policy::History history;
  std::uint64_t boots = 0;
  std::uint64_t attempts = 0;
  std::optional<std::int64_t> best_step;  // the high-water mark
  std::string best_checkpoint;            // newest complete checkpoint
  std::string checkpoint_commit;          // the code that wrote it
  std::string last_failure;               // text of the newest failure
  std::int64_t newest_wall_milliseconds = 0;
  std::int64_t up_milliseconds = 0;  // of all boots, as far as it was written down
  bool published = false;            // the run's results
  bool told_done = false;            // whoever wants to know that the run is done
  std::string last_pod;              // of the newest boot
  std::string last_host;
  std::map<std::string, unsigned> gpu_faults;  // by UUID: in how many boots this run has met a fault of it
};

struct Opened {
  Memory memory;
  std::vector<Record> records;
  std::vector<std::string> notes;  // damage found and what was done about it; each a sentence
};

// Reads without changing anything. A ledger that does not exist is empty. A torn tail is not an error.
base::Result<Opened> read(const std::filesystem::path& path);

class Ledger {
 public:
  using Redact = std::function<std::string(std::string_view)>;

  // Creates the ledger where there is none (file and folder synced), cuts a torn tail, compacts when it has grown.
  // kDamaged: there is content, but not one record can be read: the counts are lost; nothing is changed.
  // kUnsupported: written by a version whose records cannot be understood.
  static base::Result<Ledger> open(const std::filesystem::path& path, Redact redact = {});

  // What open found, then kept up to date by append.
  const Memory& memory() const { return memory_; }
  const std::vector<std::string>& notes() const { return notes_; }

  // Looks whether the file is still there, and writes it anew where it was deleted.
  void tend();

  // Of a launcher that has lived on while the file was deleted. A ledger that has a record knows better.
  void go_on_from(const Memory& memory);

  // On disk when it returns. After an error the file ends with the record before, or with a torn line that the next
  // open cuts; memory() is unchanged.
  base::Result<void> append(Record record);

  // Moves a ledger without one readable record aside (never deletes it) and starts a new one; after `podlaunch resume`.
  static base::Result<Ledger> start_anew(const std::filesystem::path& path, Redact redact = {});

 private:
  base::Result<void> begin_with(const std::string& line);
  base::Result<void> write_anew(const std::string& line);

  // What has become of the file since the last record; kUnknown leaves the reason in errno.
  enum class Place { kAsLeft, kLonger, kLost, kTaken, kUnknown };
  Place place() const;
  base::Result<void> add(const std::string& line);

  std::filesystem::path path_;
  base::UniqueFd file_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t next_number_ = 1;
  Memory memory_;
  std::vector<std::string> notes_;
  Redact redact_;
};

// Adds one record to what is remembered: the fold that open, read and append share.
void remember(Memory& memory, const Record& record);

std::uint64_t fingerprint(std::string_view text);  // FNV-1a, never 0; for fingerprints and identities

}  // namespace ledger
