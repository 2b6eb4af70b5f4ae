import type { CommandInput } from './command.ts';
import { ConfigProblems, settingsOf } from './settings-of.ts';

/** `config check`: every problem of the configuration at once. */
export async function checkConfig(input: CommandInput): Promise<number> {
  const { terminal, words } = input;
  if (words[0] !== 'check') {
    terminal.warn('config takes check.');
    return 2;
  }
  try {
    const settings = settingsOf(input);
    const providers = settings.providers.map(({ name, origin }) => `${name} (${origin})`).join(', ') || 'none';
    terminal.print(`${settings.configPath ?? 'No configuration file; the environment alone'}: no problems.`);
    terminal.print(`  providers: ${providers}`);
    terminal.print(`  routes: ${settings.routes.map(({ name }) => name).join(', ') || 'none'}`);
    return await Promise.resolve(0);
  } catch (error) {
    if (!(error instanceof ConfigProblems)) throw error;
    terminal.warn(error.message);
    return 1;
  }
}
