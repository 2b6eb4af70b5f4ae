/** Languages whose files can be read as source code, and the extensions they go by. */
const EXTENSIONS = {
  javascript: ['js', 'mjs', 'cjs', 'jsx'],
  typescript: ['ts', 'mts', 'cts', 'tsx'],
  python: ['py', 'pyi'],
  ruby: ['rb'],
  go: ['go'],
  rust: ['rs'],
  java: ['java'],
  kotlin: ['kt', 'kts'],
  scala: ['scala'],
  c: ['c', 'h'],
  cpp: ['cc', 'cpp', 'cxx', 'hh', 'hpp'],
  csharp: ['cs'],
  php: ['php'],
  swift: ['swift'],
  dart: ['dart'],
  shell: ['sh', 'bash', 'zsh'],
  powershell: ['ps1'],
  perl: ['pl', 'pm'],
  lua: ['lua'],
  r: ['r'],
  elixir: ['ex', 'exs'],
  haskell: ['hs'],
  sql: ['sql'],
  protobuf: ['proto'],
  graphql: ['graphql', 'gql'],
  terraform: ['tf'],
  css: ['css', 'scss'],
  yaml: ['yaml', 'yml'],
  toml: ['toml'],
  ini: ['ini', 'cfg', 'conf', 'properties'],
  xml: ['xml'],
} as const;

export type CodeLanguage = keyof typeof EXTENSIONS;

/** The language of a file by its extension. */
export const LANGUAGES_BY_EXTENSION: ReadonlyMap<string, CodeLanguage> = new Map(
  Object.entries(EXTENSIONS).flatMap(([language, extensions]) =>
    extensions.map((extension) => [extension, language as CodeLanguage] as const),
  ),
);
