import { runCommand } from './cli/run-command.ts';
import { readEnvironment, restartWithHttpLimit } from './config/env.ts';

restartWithHttpLimit();
process.exitCode = await runCommand(process.argv.slice(2), readEnvironment());
