#pragma once

namespace base {

// What others see of us is "podlaunch" and nothing else. Training scripts run `pkill -9 -f torchrun` or `pkill -f
// train` over their neighbours, and our command line contains the training's. `arguments` are blanked: copy them
// before.
void hide_command_line(int count, char** arguments);

}  // namespace base
