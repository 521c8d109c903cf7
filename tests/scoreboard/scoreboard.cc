// The damage catalogue against several start commands, natively: real git, real processes, an upstream on this disk.
//
// Each damage is done to a lived-in checkout of one form of storage, the first of the three that it applies to, taken
// in turn. Then the contestant's start command runs once; where that does not bring training up on a sound checkout, it
// runs twice more on what it left. Nobody is told what the damage was, and all are judged by the same questions
// (judge.h).
//
//   scoreboard [--every N] [--jobs N]    runs, prints the page (docs/scoreboard.md) on standard output
//   scoreboard --worker I/N …            one part of it: a line for each case, on standard output
//
// Exit status: 1 when podlaunch did not get 100 / 100 / 0.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include "../launcher/damage.h"
#include "contestants.h"
#include "judge.h"

namespace scoreboard {
namespace {

using checkout::Damager;
using checkout::LivedIn;
using checkout::Storage;

struct Options {
  std::size_t every = 1;  // only each so-many-th damage
  std::size_t jobs = 2;
  std::size_t part = 0;
  bool is_worker = false;
};

struct Tally {
  int cases = 0;
  int recovered = 0;
  int preserved = 0;
  int looped = 0;
};

struct Row {
  bool recovered = false;
  bool preserved = false;
  bool looped = false;
};

Row play(const Contestant& contestant, const LivedIn& world, const std::set<std::string>& destroyed) {
  Row row;
  row.recovered = recovered(world, boot(contestant, world));
  row.looped = !row.recovered;
  for (int boots = 1; row.looped && boots < 3; ++boots) row.looped = !recovered(world, boot(contestant, world));
  row.preserved = true;
  for (const std::string& mark : lost_marks(world)) row.preserved = row.preserved && destroyed.contains(mark);
  return row;
}

void prepare(const LivedIn& world) {
  world.reset();
  checkout::fs::remove_all(world.root / "state");
}

// The forms of storage are tried in an order that differs from damage to damage.
std::unique_ptr<LivedIn>& world_for(std::size_t number, std::array<std::unique_ptr<LivedIn>, 3>& worlds,
                                    const checkout::DamageEntry& entry) {
  static std::unique_ptr<LivedIn> none;
  for (std::size_t i = 0; i < worlds.size(); ++i) {
    auto& world = worlds[(number + i) % worlds.size()];
    prepare(*world);
    if (Damager(world->path).apply(entry.operations)) return world;
  }
  return none;
}

int work(const Options& options) {
  std::array<std::unique_ptr<LivedIn>, 3> worlds;
  for (std::size_t i = 0; i < worlds.size(); ++i) worlds[i] = std::make_unique<LivedIn>(static_cast<Storage>(i));
  const auto catalogue = checkout::read_catalogue();
  for (std::size_t number = 0; number < catalogue.size(); ++number) {
    if (number % options.every != 0 || number / options.every % options.jobs != options.part) continue;
    const auto& entry = catalogue[number];
    const auto& world = world_for(number, worlds, entry);
    if (world == nullptr) continue;
    for (const Contestant& contestant : contestants()) {
      prepare(*world);
      Damager(world->path).apply(entry.operations);
      const Row row = play(contestant, *world, entry.destroys);
      fmt::print("{}\t{}\t{:d}\t{:d}\t{:d}\n", contestant.name, entry.id, row.recovered, row.preserved, row.looped);
      std::fflush(stdout);
    }
  }
  return 0;
}

// Each worker is a process of its own: libgit2 and the worlds' $HOME are one a process.
std::string run_worker(const std::string& program, const Options& options, std::size_t part) {
  const std::string command = fmt::format("{} --worker {}/{} --every {}", program, part, options.jobs, options.every);
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  ::pclose(pipe);
  return output;
}

std::string cell(int count, int cases) {
  return fmt::format("{:.0f} % ({} of {})", 100.0 * count / std::max(cases, 1), count, cases);
}

void print_page(const std::map<std::string, Tally>& tallies) {
  const auto version = [](const char* command) { return checkout::World::trimmed(checkout::shell(command).output); };
  fmt::print(
      "# Scoreboard\n\nWritten by `./dev scoreboard`; every cell is a count from a run.\n\n"
      "Each damage of `fixtures/damage/catalogue.yaml` that applies to one of three lived-in checkouts (loose, "
      "packed,\n"
      "mixed: with local commits, a stash, a second branch, staged, dirty, untracked and ignored files) is done to it, "
      "and\n"
      "then a start command runs. *Recovered*: after one boot the training ran, and it ran on a checkout in which git "
      "finds\n"
      "nothing wrong, with HEAD's files in place. *Work preserved*: each piece of the user's work that the damage "
      "itself did\n"
      "not take is still on the disk, as a file or as an object that git can read, reachable or not. *Looped*: two "
      "more boots\n"
      "did not bring it up either.\n\n"
      "| start command | recovered | work preserved | looped | |\n| --- | --- | --- | --- | --- |\n");
  for (const Contestant& contestant : contestants()) {
    const auto found = tallies.find(contestant.name);
    if (found == tallies.end()) continue;
    const Tally& tally = found->second;
    fmt::print("| {} | {} | {} | {} | {} |\n", contestant.name, cell(tally.recovered, tally.cases),
               cell(tally.preserved, tally.cases), cell(tally.looped, tally.cases), contestant.what);
  }
  fmt::print(
      "\nWith {}, git-repair {}. The contestants' start commands are in `fixtures/start-commands/` and\n"
      "`fixtures/scoreboard/`.\n",
      version("git --version"), version("dpkg-query -W -f '${Version}' git-repair"));
}

int play_all(const std::string& program, const Options& options) {
  std::vector<std::string> outputs(options.jobs);
  std::vector<std::thread> waiting;  // one a worker, until it has ended
  for (std::size_t part = 0; part < options.jobs; ++part) {
    waiting.emplace_back([&, part] { outputs[part] = run_worker(program, options, part); });
  }
  for (std::thread& one : waiting) one.join();
  std::map<std::string, Tally> tallies;
  for (const std::string& output : outputs) {
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      std::vector<std::string> fields;
      std::istringstream parts(line);
      for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
      if (fields.size() != 5) continue;  // the worker's own words
      Tally& tally = tallies[fields[0]];
      ++tally.cases;
      tally.recovered += fields[2] == "1" ? 1 : 0;
      tally.preserved += fields[3] == "1" ? 1 : 0;
      tally.looped += fields[4] == "1" ? 1 : 0;
      const bool ours = fields[0] == "podlaunch";
      if (ours && (fields[2] != "1" || fields[3] != "1")) std::cerr << "podlaunch fell short: " << line << "\n";
    }
  }
  print_page(tallies);
  const Tally& ours = tallies["podlaunch"];
  return ours.cases > 0 && ours.recovered == ours.cases && ours.preserved == ours.cases && ours.looped == 0 ? 0 : 1;
}

}  // namespace
}  // namespace scoreboard

int main(int count, char** words) {
  testing::InitGoogleTest(&count, words);
  scoreboard::Options options;
  for (int i = 1; i < count; i += 2) {
    const std::string word = words[i];
    const bool known = word == "--every" || word == "--jobs" || word == "--worker";
    if (!known || i + 1 == count) {
      std::cerr << "usage: scoreboard [--every N] [--jobs N]: every N-th damage of the catalogue, N side by side\n";
      return 3;
    }
    const std::string value = words[i + 1];
    if (word == "--every") options.every = std::stoul(value);
    if (word == "--jobs") options.jobs = std::stoul(value);
    if (word == "--worker") {
      options.is_worker = true;
      options.part = std::stoul(value);
      options.jobs = std::stoul(value.substr(value.find('/') + 1));
    }
  }
  return options.is_worker ? scoreboard::work(options) : scoreboard::play_all(words[0], options);
}
