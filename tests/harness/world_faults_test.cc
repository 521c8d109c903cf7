// What unmodified programs see of the faults that a timeline can put into a world, and that each of them ends.
#include <gmock/gmock.h>

#include "tests/harness/world_play.h"

namespace pod {
namespace {

using scenario::DiskFaultKind;
using scenario::FileDamageKind;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

scenario::Moment boot(int number) {
  scenario::Moment moment;
  moment.boot = number;
  return moment;
}

scenario::Scenario with(const std::string& command, scenario::TimelineEntry entry) {
  scenario::Scenario scenario = shell(command);
  scenario.timeline = {std::move(entry)};
  return scenario;
}

scenario::DiskFault fault(DiskFaultKind kind, scenario::Duration lasting = 0s, bool unkillable = false) {
  return {kind, "/workspace", lasting, unkillable};
}

// --- Clocks --------------------------------------------------------------------------------------------------------

TEST(ClockJump, MovesTheDateAndNotTheTimeThatPasses) {
  const auto text =
      play(with("date +%Y; cut -d. -f1 /proc/uptime; sleep 20; date +%Y; cut -d. -f1 /proc/uptime; exec sleep inf",
                {at(10s), scenario::ClockJump{-365 * 24h}, 1}),
           log_of);
  EXPECT_EQ(text, "2026\n86400\n2025\n86420\n");
}

TEST(ClockJump, BeforeABootItIsThereFromTheStart) {
  const auto text = play(with("date +%F; python3 -c 'import time; print(time.gmtime().tm_year)'; exec sleep inf",
                              {boot(1), scenario::ClockJump{365 * 24h}, 1}),
                         log_of);
  EXPECT_EQ(text, "2027-01-01\n2027\n");
}

TEST(ClockJump, ASleepUntilATimeOfDayMovesAlong) {
  // Sleeps until ten hours from now by the wall clock, which jumps eleven hours ahead after a minute.
  const std::string program =
      "python3 -c 'import ctypes, time\n"
      "class T(ctypes.Structure): _fields_ = [(\"s\", ctypes.c_long), (\"n\", ctypes.c_long)]\n"
      "ctypes.CDLL(None).clock_nanosleep(0, 1, ctypes.byref(T(int(time.time()) + 36000, 0)), None)\n"
      "print(round(time.monotonic()) - 86400, flush=True)'; exec sleep inf";
  EXPECT_EQ(play(with(program, {at(60s), scenario::ClockJump{11h}, 1}), log_of), "60\n");
}

// --- Files ---------------------------------------------------------------------------------------------------------

std::string after_damage(const scenario::FileDamage& damage) {
  return play(with("cd /workspace; printf abcdef >a1; printf abcdef >a2; sleep 20; "
                   "for f in a?; do stat -c '%F %a' $f; od -An -c $f 2>&1 | head -1; done; exec sleep inf",
                   {at(10s), damage, 1}),
              log_of);
}

const char* const kUntouched = "regular file 644\n   a   b   c   d   e   f\n";

TEST(FileDamage, TearsZeroesAndPunches) {
  EXPECT_EQ(after_damage({FileDamageKind::kTear, "/workspace/a1", false, 0}),
            std::string("regular file 644\n   a   b   c\n") + kUntouched);
  EXPECT_EQ(after_damage({FileDamageKind::kZero, "/workspace/a*", false, 0}),
            std::string("regular file 644\n  \\0  \\0  \\0  \\0  \\0  \\0\n") + kUntouched);
  EXPECT_EQ(after_damage({FileDamageKind::kHole, "/workspace/a*", true, 0}),
            kUntouched + std::string("regular file 644\n   a   b  \\0  \\0   e   f\n"));
}

TEST(FileDamage, DeletesReplacesAndForbids) {
  EXPECT_EQ(after_damage({FileDamageKind::kDelete, "/workspace/a1", false, 0}), kUntouched);
  EXPECT_THAT(after_damage({FileDamageKind::kFolder, "/workspace/a1", false, 0}), HasSubstr("directory 755"));
  EXPECT_THAT(after_damage({FileDamageKind::kMode, "/workspace/a1", false, 0444}), HasSubstr("regular file 444"));
  EXPECT_THAT(after_damage({FileDamageKind::kGarbage, "/workspace/a1", false, 0}), HasSubstr("g   a   r   b"));
}

TEST(FileDamage, OfWhatIsNotThereOrNoFileIsPassedOverAndSaid) {
  const auto passed_over = [](const scenario::FileDamage& damage) {
    return play(with("mkdir /workspace/folder; exec sleep inf", {at(10s), damage, 1}), [](const WorldRecord& record) {
      return record.passed_over.empty() ? std::string() : record.passed_over.front();
    });
  };
  EXPECT_THAT(passed_over({FileDamageKind::kTear, "/workspace/b*", false, 0}), HasSubstr("cannot damage"));
  EXPECT_THAT(passed_over({FileDamageKind::kTear, "/workspace/folder", false, 0}), HasSubstr("cannot read"));
  EXPECT_EQ(passed_over({FileDamageKind::kDelete, "/workspace/folder", false, 0}), "");
}

// --- Disks ---------------------------------------------------------------------------------------------------------

TEST(DiskFault, AFullDiskRefusesContentThroughNamesAndDescriptors) {
  const std::string program =
      "cd /workspace; exec 5>open; echo old >old; sleep 20; "
      "echo x >new || :; ls -s new; echo x >&5; mkdir folder; cat old; rm old && echo removed; echo fine >/root/other "
      "&& cat /root/other; sleep 20; echo back >new && cat new; exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kFull, 20s), 1}), log_of);
  EXPECT_EQ(text,
            "bash: line 1: echo: write error: No space left on device\n0 new\n"
            "bash: line 1: echo: write error: No space left on device\n"
            "mkdir: cannot create directory 'folder': No space left on device\n"
            "old\nremoved\nfine\nback\n");
}

TEST(DiskFault, AQuotaRefusesNewNames) {
  const auto text =
      play(with("python3 -c 'open(\"/workspace/x\", \"w\")' 2>&1 | tail -1; echo a >>/workspace/b; exec sleep inf",
                {boot(1), fault(DiskFaultKind::kQuota), 1}),
           log_of);
  EXPECT_EQ(text,
            "OSError: [Errno 122] Disk quota exceeded: '/workspace/x'\n"
            "bash: line 1: /workspace/b: Disk quota exceeded\n");
}

TEST(DiskFault, AReadOnlyDiskIsSoForPythonAndGit) {
  const std::string program =
      "cd /workspace; git init -q r; cd r; git -c user.name=a -c user.email=b commit -q --allow-empty -m x; exec 5>o; "
      "sleep 20; git -c user.name=a -c user.email=b commit --allow-empty -m y 2>&1 | head -1; git log --format=%s; "
      "echo x >&5; test -w . || echo not writable; python3 -c 'import os; os.rename(\"o\", \"p\")' 2>&1 | tail -1; "
      "exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kReadOnly), 1}), log_of);
  EXPECT_THAT(text, AllOf(HasSubstr("Read-only file system"), HasSubstr("\nx\n"),
                          HasSubstr("echo: write error: Read-only file system\nnot writable\n"),
                          HasSubstr("OSError: [Errno 30] Read-only file system: 'o' -> 'p'")));
}

TEST(DiskFault, AFailingDiskFailsWhateverIsAskedAndOnlyThere) {
  const std::string program =
      "echo a >/workspace/a; ln -s /workspace/a /root/link; exec 5</workspace/a; sleep 20; cat /workspace/a; cat "
      "/root/link; "
      "cat <&5; ls /workspace; echo still here; sleep 20; cat /root/link; exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kFailing, 20s), 1}), log_of);
  EXPECT_EQ(text,
            "cat: /workspace/a: Input/output error\ncat: /root/link: Input/output error\n"
            "cat: -: Input/output error\nls: cannot access '/workspace': Input/output error\nstill here\na\n");
}

TEST(DiskFault, AHangingDiskKeepsItsCallersUntilItComesBack) {
  const std::string program =
      "echo a >/workspace/a; sleep 20; (cat /workspace/a; cut -d. -f1 /proc/uptime) & sleep 10; echo meanwhile; wait; "
      "exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kHanging, 1h), 1}), log_of);
  EXPECT_EQ(text, "meanwhile\na\n90010\n");
}

TEST(DiskFault, WhatHangsCanBeKilled) {
  const std::string program =
      "sleep 20; timeout -s KILL 30 cat /workspace/a; echo $?; timeout 30 ls /workspace & sleep 60; "
      "kill -0 $! && echo the term waits; exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kHanging), 1}), log_of);
  EXPECT_EQ(text,
            "bash: line 1:     3 Killed                  timeout -s KILL 30 cat /workspace/a\n137\nthe term waits\n");
}

TEST(DiskFault, WhatCannotBeKilledIsStillThereAfterSigkill) {
  const std::string program =
      "sleep 20; cat /workspace/a & sleep 1; kill -9 $!; sleep 60; kill -0 $! && echo still there; sleep 60; "
      "wait $!; echo $?; exec sleep inf";
  const auto text = play(with(program, {at(10s), fault(DiskFaultKind::kHanging, 100s, true), 1}), log_of);
  EXPECT_THAT(text, AllOf(HasSubstr("still there\n"), HasSubstr("137\n")));
}

TEST(DiskFault, APodIsTakenAwayWhateverHangs) {
  auto scenario = with("cat /workspace/a; exec sleep inf", {boot(1), fault(DiskFaultKind::kHanging, 0s, true), 1});
  scenario.timeline.push_back({at(100s), scenario::SpotInterrupt{}, 2});
  const auto text = play(scenario, [](const WorldRecord& record) {
    return record.boots[0].status.describe() + " " + std::to_string(record.boots.size());
  });
  EXPECT_EQ(text, "signal 9 2");
}

// --- People --------------------------------------------------------------------------------------------------------

TEST(EnvironmentChange, IsThereInTheNextBoot) {
  auto scenario = shell("echo ${A-none} ${B-none}; exec sleep inf");
  scenario.timeline = {{at(10s), scenario::EnvironmentChange{{{"A", "1"}, {"B", "2"}}}, 1},
                       {at(20s), scenario::KillContainer{}, 2},
                       {at(100s), scenario::EnvironmentChange{{{"A", std::nullopt}}}, 3},
                       {at(110s), scenario::KillContainer{}, 4}};
  EXPECT_EQ(play(scenario, log_of), "none none\n1 2\nnone 2\n");
}

TEST(Exec, RunsInThePodWithoutTheContainersEnvironment) {
  scenario::Exec exec{{"bash", "-c", "echo $HOME ${A-none}; cat /workspace/f; hostname; ps -o comm= 1; pwd; exit 3"}};
  const auto text = play(with("export A=1; echo f >/workspace/f; sleep inf & wait", {at(10s), exec, 1}), log_of);
  EXPECT_EQ(text, "exec: /root none\nexec: f\nexec: pod-1\nexec: bash\nexec: /root\nexec: ended: exit 3\n");
}

TEST(Exec, CanSignalWhatRunsThereAndEndsWithThePod) {
  auto scenario = with("trap 'echo told' USR1; sleep inf & wait; exec sleep inf",
                       {at(10s), scenario::Exec{{"bash", "-c", "kill -USR1 1; sleep inf"}}, 1});
  scenario.timeline.push_back({at(20s), scenario::KillContainer{}, 2});
  EXPECT_EQ(play(scenario, log_of), "told\nexec: ended: signal 9\n");
}

}  // namespace
}  // namespace pod
