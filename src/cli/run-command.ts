import { parseArgs } from 'node:util';
import type { Environment } from '../config/env.ts';
import { askCommand } from './ask.ts';
import { cacheCommand } from './cache.ts';
import { checkConfig } from './check-config.ts';
import { collectionsCommand } from './collections.ts';
import { OPTIONS, type Command, type CommandOptions } from './command.ts';
import { doctor } from './doctor.ts';
import { evaluateCommand } from './evaluate.ts';
import { ingestCommand } from './ingest.ts';
import { keysCommand } from './keys.ts';
import { modelsCommand } from './models.ts';
import { ServerRefusal } from './server-client.ts';
import { serve } from './serve.ts';
import { settingsCommand } from './settings-command.ts';
import { sourcesCommand } from './sources.ts';
import { tasksCommand } from './tasks.ts';
import { createTerminal } from './terminal.ts';
import { usageCommand } from './usage.ts';

const COMMANDS: Record<string, Command> = {
  serve,
  ingest: ingestCommand,
  ask: askCommand,
  keys: keysCommand,
  config: checkConfig,
  doctor,
  routes: settingsCommand('routes'),
  providers: settingsCommand('providers'),
  targets: settingsCommand('targets'),
  limits: settingsCommand('limits'),
  prices: settingsCommand('prices'),
  cache: cacheCommand,
  collections: collectionsCommand,
  models: modelsCommand,
  evaluate: evaluateCommand,
  usage: usageCommand,
  tasks: tasksCommand,
  sources: sourcesCommand,
};

/** Reasons of reasons that are told. */
const MAX_CAUSES = 4;

const HELP = `sekisho — the production backend of an LLM application in one process

  sekisho serve                      start the server
  sekisho ingest <path...>           index files and folders   [--collection NAME] [--background]
  sekisho tasks list|show|watch|cancel|retry   work in the background   [--state STATE] [--queue QUEUE]
  sekisho ask "<question>"           ask a collection          [--collection NAME] [--top-k N]
  sekisho keys create --name NAME    make an API key           [--role admin|member] [--route PATTERN]...
                                                               [--expires ISO-DATE] [--budget USD-PER-MONTH]
                                                               [--group NAME]... [--attribute NAME=VALUE]...
                                                               [--team NAME] [--limits '{"requests_per_minute": 60}']
  sekisho keys list                  list API keys
  sekisho keys change <id>           what it may do           the same options; what is not given stays
  sekisho keys revoke <id>           end an API key at once
  sekisho keys rotate <id>           a new secret for an API key; the old one ends at once
  sekisho routes list|set|remove     public model names: set NAME '{"targets": ["openai/gpt-4o-mini"]}' | --file FILE
  sekisho providers list|set|remove|test   upstream endpoints and their credentials
  sekisho targets list|set|remove|health|reset   concurrency, switching off, state of the breakers
  sekisho limits list|set|remove     set team/search '{"requests_per_minute": 60}'
  sekisho prices list|set|remove     set openai/my-model '{"input_per_million": 1, "output_per_million": 2}'
  sekisho collections list|show|create|set|copy|rename|delete   set NAME '{"retrieval": {"top_k": 8}}' | --file FILE
  sekisho collections rebuild|cancel|swap|rollback NAME         its index: anew, give up, make live (force), back
  sekisho cache stats|clear          [--route NAME | --tag TAG | --document ID | --pattern GLOB]
  sekisho evaluate COLLECTION        how well it finds what its golden set names  [--file CASES.jsonl] [--k 10]
  sekisho evaluate tune|draft COLLECTION  look for better settings; draft cases with a model
  sekisho models list                local embedding and rerank models
  sekisho models pull OWNER/NAME     fetch one from the Hugging Face hub  [--file onnx/model_quantized.onnx]
  sekisho sources list|add|change|run|runs|remove   where documents come from, and when they are fetched again
  sekisho usage                      usage and cost            [--by key|user|route|day|...] [--from ISO] [--to ISO]
  sekisho usage export               the ledger on standard output  [--format csv|jsonl|json]
  sekisho config check               judge the configuration, every problem at once
  sekisho doctor                     what is set, reachable, missing, and how to mend it

  -c, --config FILE    configuration (SEKISHO_CONFIG, else ./sekisho.yaml where it exists)
  -d, --data FOLDER    data folder   (SEKISHO_DATA, else ./data)
  -p, --port PORT      port          (PORT, else 8910)
  -h, --help           this text
  -v, --version        the version`;

/** Runs one command of the command line. @returns the exit code; never throws. */
export async function runCommand(args: readonly string[], environment: Environment): Promise<number> {
  const terminal = createTerminal();
  let parsed: { values: CommandOptions; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    terminal.warn(`${error instanceof Error ? error.message : 'These words make no command.'}\n\n${HELP}`);
    return 2;
  }
  const [name, ...words] = parsed.positionals;
  if (parsed.values.version === true) {
    const { version } = (await import('../../package.json')).default;
    terminal.print(version);
    return 0;
  }
  if (parsed.values.help === true || name === undefined) {
    terminal.print(HELP);
    return parsed.values.help === true ? 0 : 2;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    terminal.warn(`There is no command "${name}".\n\n${HELP}`);
    return 2;
  }
  try {
    return await command({ words, options: parsed.values, environment, terminal });
  } catch (error) {
    terminal.warn(error instanceof Error ? error.message : String(error));
    if (error instanceof ServerRefusal) return 1;
    let cause: unknown = error instanceof Error ? error.cause : undefined;
    for (let depth = 0; cause instanceof Error && depth < MAX_CAUSES; depth++, cause = cause.cause) {
      terminal.warn(`  because: ${cause.message}`);
    }
    return 1;
  }
}
