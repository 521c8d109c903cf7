#include "launcher/lease/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace {

namespace fs = std::filesystem;
using base::Seconds;
using lease::Circumstances;
using lease::Holder;
using lease::is_free;
using lease::Lock;
using lease::Sight;
using lease::Tenure;
using lease::Terms;

class Lease : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "lease_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    folder_ = root_ / "lease";
  }
  void TearDown() override { fs::remove_all(root_); }

  Sight seen() const { return lease::look(folder_).value_or(Sight()); }
  Tenure claimed(const Holder& who, Terms terms = {}) const {
    auto tenure = Tenure::claim(folder_, seen(), who, terms);
    EXPECT_TRUE(tenure) << tenure.error().message();
    return *tenure;
  }

  const Holder one_{"pod-1", "host-1", "boot-1", 1'700'000'000};
  const Holder two_{"pod-2", "host-2", "boot-2", 1'700'000'100};
  fs::path root_, folder_;
};

TEST_F(Lease, NobodysLeaseIsFreeAndAClaimIsSeenWithItsTerms) {
  EXPECT_EQ(seen().epoch, 0U);
  EXPECT_TRUE(is_free(seen(), one_, {Lock::kUnknown, true, false}));
  claimed(one_, {Seconds(7), Seconds(3)});
  EXPECT_EQ(seen().epoch, 1U);
  EXPECT_EQ(seen().holder, one_);
  EXPECT_FALSE(seen().released);
  EXPECT_EQ(seen().terms, (Terms{Seconds(7), Seconds(3)}));
  EXPECT_EQ(lease::describe(seen()), "pod pod-1 (since 2023-11-14 22:13:20 UTC, epoch 1)");
}

TEST_F(Lease, RenewalsBeatAndAReleaseFreesIt) {
  Tenure tenure = claimed(one_);
  const Sight first = seen();
  ASSERT_TRUE(tenure.renew());
  EXPECT_FALSE(seen().same_beat(first));
  EXPECT_FALSE(is_free(seen(), two_, {Lock::kHad, true, false}));
  tenure.release();
  EXPECT_TRUE(is_free(seen(), two_, {Lock::kHad, true, false}));
}

TEST_F(Lease, HolderThatWasTakenOverIsFencedAndWritesNothingMore) {
  Tenure first = claimed(one_);
  Tenure second = claimed(two_);
  EXPECT_TRUE(first.is_lost());
  const auto renewed = first.renew();
  ASSERT_FALSE(renewed);
  EXPECT_EQ(renewed.error().code, base::ErrorCode::kBusy);
  EXPECT_THAT(renewed.error().detail, testing::HasSubstr("pod pod-2"));
  first.release();
  EXPECT_EQ(seen().holder, two_);
  EXPECT_FALSE(seen().released);
  EXPECT_FALSE(second.is_lost());
  EXPECT_TRUE(second.renew());
}

TEST_F(Lease, RemovedLeaseCannotBeRenewed) {
  Tenure tenure = claimed(one_);
  fs::remove_all(folder_);
  EXPECT_TRUE(tenure.is_lost());
  const auto renewed = tenure.renew();
  ASSERT_FALSE(renewed);
  EXPECT_EQ(renewed.error().code, base::ErrorCode::kNotFound);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(Lease, SameBootGoesOnAndAnotherOneDoesNot) {
  const Tenure tenure = claimed(one_);
  EXPECT_TRUE(Tenure::go_on(folder_, tenure.epoch(), one_, {}));
  const auto stranger = Tenure::go_on(folder_, tenure.epoch(), two_, {});
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, base::ErrorCode::kBusy);
  claimed(two_);
  EXPECT_FALSE(Tenure::go_on(folder_, tenure.epoch(), one_, {}));
}

TEST_F(Lease, ClaimOverAnOldSightIsRefused) {
  const Sight before = seen();
  claimed(one_);
  const auto late = Tenure::claim(folder_, before, two_, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, base::ErrorCode::kBusy);
  claimed(two_);
  // The file of its epoch is gone by now, and the epoch all the same taken.
  EXPECT_FALSE(Tenure::claim(folder_, before, Holder{"pod-3", "host-3", "boot-3", 0}, {}));
  EXPECT_EQ(seen().holder, two_);
}

TEST_F(Lease, OfManyWhoClaimAtOnceOneGetsIt) {
  constexpr int kClaimants = 8;
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    const Sight before = seen();
    std::vector<pid_t> children;
    for (int i = 0; i < kClaimants; ++i) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        const Holder who{"pod", "host", "boot-" + std::to_string(i), 0};
        ::_exit(Tenure::claim(folder_, before, who, {}) ? 7 : 0);
      }
      children.push_back(child);
    }
    int winners = 0;
    for (const pid_t child : children) {
      int raw = 0;
      ASSERT_EQ(::waitpid(child, &raw, 0), child);
      winners += WEXITSTATUS(raw) == 7 ? 1 : 0;
    }
    EXPECT_EQ(winners, 1) << "round " << round;
  }
}

TEST_F(Lease, TornLeaseIsSomebodysUntilItHasBeenSilent) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "00000004.json") << "{\"pod\": \"po";
  EXPECT_EQ(seen().epoch, 4U);
  EXPECT_FALSE(is_free(seen(), one_, {Lock::kHad, true, false}));
  EXPECT_TRUE(is_free(seen(), one_, {Lock::kHad, true, true}));
}

TEST(LeaseRules, WhatTheLockProves) {
  Sight sight;
  sight.epoch = 3;
  sight.released = false;
  sight.holder = {"pod-1", "host-1", "boot-1", 0};
  const Holder stranger{"pod-2", "host-2", "boot-2", 0};
  const Holder neighbour{"pod-2", "host-1", "boot-2", 0};
  const Holder successor{"pod-1", "host-1", "boot-2", 0};
  const Holder moved{"pod-1", "host-2", "boot-2", 0};
  const Circumstances alone{Lock::kHad, false, false};
  const Circumstances shared{Lock::kHad, true, false};
  for (const Holder& who : {stranger, neighbour, successor, moved}) EXPECT_TRUE(is_free(sight, who, alone)) << who.boot;
  EXPECT_FALSE(is_free(sight, stranger, shared));
  EXPECT_FALSE(is_free(sight, neighbour, shared));
  EXPECT_TRUE(is_free(sight, successor, shared));
  EXPECT_FALSE(is_free(sight, moved, shared));
  // Where there are no locks, silence alone decides.
  EXPECT_FALSE(is_free(sight, successor, {Lock::kUnknown, false, false}));
  EXPECT_TRUE(is_free(sight, successor, {Lock::kUnknown, false, true}));
}

TEST(LeaseRules, DeniedLockIsBelievedOnItsOwnHost) {
  Sight sight;
  sight.epoch = 3;
  sight.released = false;
  sight.holder = {"pod-1", "host-1", "boot-1", 0};
  const Holder neighbour{"pod-2", "host-1", "boot-2", 0};
  const Holder stranger{"pod-2", "host-2", "boot-2", 0};
  EXPECT_FALSE(is_free(sight, neighbour, {Lock::kDenied, true, true}));
  EXPECT_FALSE(is_free(sight, stranger, {Lock::kDenied, false, true}));
  EXPECT_FALSE(is_free(sight, stranger, {Lock::kDenied, true, false}));
  EXPECT_TRUE(is_free(sight, stranger, {Lock::kDenied, true, true}));
}

TEST(LeaseRules, PatienceOutlastsLeaseAndGraceAndStartsAnewWithEachBeat) {
  Sight sight;
  sight.epoch = 1;
  sight.terms = {Seconds(100), Seconds(20)};
  const base::TimePoint start{};
  lease::Patience patience;
  EXPECT_FALSE(patience.exhausted(sight, start));
  EXPECT_FALSE(patience.exhausted(sight, start + Seconds(145)));
  EXPECT_TRUE(patience.exhausted(sight, start + Seconds(146)));
  ++sight.beat;
  EXPECT_FALSE(patience.exhausted(sight, start + Seconds(147)));
  EXPECT_FALSE(patience.exhausted(sight, start + Seconds(147 + 145)));
  EXPECT_TRUE(patience.exhausted(sight, start + Seconds(147 + 146)));
}

}  // namespace
