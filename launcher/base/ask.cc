#include "launcher/base/ask.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace base {

static constexpr std::size_t kOutputMax = 64 * 1024;
static constexpr Milliseconds kTimeToDie{1000};  // what SIGKILL has not ended by then sits in the kernel

std::string Answer::last_line() const {
  const std::size_t end = output.find_last_not_of(" \t\r\n");
  if (end == std::string::npos) return {};
  const std::size_t start = output.rfind('\n', end);
  return output.substr(start == std::string::npos ? 0 : start + 1,
                       end - (start == std::string::npos ? 0 : start + 1) + 1);
}

namespace {

struct Question {
  pid_t child = 0;
  UniqueFd reading;
  Answer answer;
  bool ended = true;

  void read();
};

}  // namespace

void Question::read() {
  char buffer[4096];
  while (reading.valid()) {
    const ssize_t count = ::read(reading.get(), buffer, sizeof buffer);
    if (count > 0) {
      const std::size_t room = kOutputMax - std::min(kOutputMax, answer.output.size());
      answer.output.append(buffer, std::min(room, static_cast<std::size_t>(count)));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      reading.reset();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

static Question put(const Program& program, Waiter& waiter) {
  Question question;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return question;
  question.reading.reset(ends[0]);
  const UniqueFd writing(ends[1]);
  (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  Program asked = program;
  asked.output = asked.errors = writing.get();
  const auto child = spawn(asked, waiter);
  if (!child) return question;
  question.child = *child;
  question.ended = false;
  return question;
}

// True when there is nothing left to wait for.
static bool collect(std::vector<Question>& questions, Waiter& waiter) {
  bool all = true;
  for (Question& question : questions) {
    if (question.ended) continue;
    question.read();
    const auto status = waiter.take_status(question.child);
    if (!status) {
      all = false;
      continue;
    }
    question.read();  // what was written between the read above and the end
    (void)::kill(-question.child, SIGKILL);
    question.ended = true;
    if (question.answer.state == Answer::State::kNotStarted) question.answer.state = Answer::State::kEnded;
    question.answer.status = *status;
  }
  return all;
}

static void wait_for(std::vector<Question>& questions, Waiter& waiter, TimePoint until) {
  std::vector<pollfd> descriptors;
  for (const Question& question : questions) {
    if (!question.ended && question.reading.valid()) descriptors.push_back({question.reading.get(), POLLIN, 0});
  }
  waiter.wait(descriptors, until);
}

static void end_rest(std::vector<Question>& questions, Waiter& waiter) {
  const auto state = waiter.stop_signal() != 0 ? Answer::State::kInterrupted : Answer::State::kSilent;
  for (Question& question : questions) {
    if (question.ended) continue;
    question.answer.state = state;
    (void)::kill(-question.child, SIGKILL);
    (void)::kill(question.child, SIGKILL);
  }
  const TimePoint until = Clock::now() + kTimeToDie;
  while (!collect(questions, waiter) && Clock::now() < until) wait_for(questions, waiter, until);
  for (Question& question : questions) {
    if (question.ended) continue;
    question.answer.stuck = question.child;
    waiter.abandon(question.child);
  }
}

std::vector<Answer> ask_all(const std::vector<Program>& programs, Waiter& waiter, Milliseconds deadline) {
  std::vector<Question> questions;
  for (const Program& program : programs) questions.push_back(put(program, waiter));
  const TimePoint until = Clock::now() + deadline;
  bool all = false;
  while (!(all = collect(questions, waiter)) && Clock::now() < until && waiter.stop_signal() == 0) {
    wait_for(questions, waiter, until);
  }
  if (!all) end_rest(questions, waiter);
  std::vector<Answer> answers;
  for (Question& question : questions) answers.push_back(std::move(question.answer));
  return answers;
}

Answer ask(const Program& program, Waiter& waiter, Milliseconds deadline) {
  return ask_all({program}, waiter, deadline).front();
}

}  // namespace base
