/** A vendor that is found by its well-known variables. */
export interface KnownProvider {
  name: string;
  wire: 'openai' | 'anthropic' | 'gemini' | 'cohere';
  keyVariables: readonly string[];
  baseUrl: string;
  /** The variables by which the vendor's own SDK takes another address. */
  urlVariables: readonly string[];
  /** What the SDK's address lacks against ours: Anthropic's SDK adds `/v1` itself. */
  urlSuffix?: string;
}

/** In the order in which a bare model name is looked for. */
export const KNOWN_PROVIDERS: readonly KnownProvider[] = [
  {
    name: 'openai',
    wire: 'openai',
    keyVariables: ['OPENAI_API_KEY'],
    baseUrl: 'https://api.openai.com/v1',
    urlVariables: ['OPENAI_BASE_URL', 'OPENAI_API_BASE'],
  },
  {
    name: 'anthropic',
    wire: 'anthropic',
    keyVariables: ['ANTHROPIC_API_KEY'],
    baseUrl: 'https://api.anthropic.com',
    urlVariables: ['ANTHROPIC_BASE_URL'],
  },
  {
    name: 'gemini',
    wire: 'gemini',
    keyVariables: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    urlVariables: ['GEMINI_BASE_URL'],
  },
  {
    name: 'openrouter',
    wire: 'openai',
    keyVariables: ['OPENROUTER_API_KEY'],
    baseUrl: 'https://openrouter.ai/api/v1',
    urlVariables: ['OPENROUTER_BASE_URL'],
  },
  {
    name: 'groq',
    wire: 'openai',
    keyVariables: ['GROQ_API_KEY'],
    baseUrl: 'https://api.groq.com/openai/v1',
    urlVariables: ['GROQ_BASE_URL'],
    // The vendor's SDK adds `/openai/v1` itself.
    urlSuffix: '/openai/v1',
  },
  {
    name: 'mistral',
    wire: 'openai',
    keyVariables: ['MISTRAL_API_KEY'],
    baseUrl: 'https://api.mistral.ai/v1',
    urlVariables: ['MISTRAL_BASE_URL'],
  },
  {
    name: 'together',
    wire: 'openai',
    keyVariables: ['TOGETHER_API_KEY'],
    baseUrl: 'https://api.together.xyz/v1',
    urlVariables: ['TOGETHER_BASE_URL'],
  },
  {
    name: 'deepseek',
    wire: 'openai',
    keyVariables: ['DEEPSEEK_API_KEY'],
    baseUrl: 'https://api.deepseek.com/v1',
    urlVariables: ['DEEPSEEK_BASE_URL'],
  },
  {
    name: 'xai',
    wire: 'openai',
    keyVariables: ['XAI_API_KEY'],
    baseUrl: 'https://api.x.ai/v1',
    urlVariables: ['XAI_BASE_URL'],
  },
  {
    name: 'cohere',
    wire: 'cohere',
    keyVariables: ['CO_API_KEY', 'COHERE_API_KEY'],
    baseUrl: 'https://api.cohere.com',
    urlVariables: ['CO_API_URL'],
  },
];

/** Servers on this machine that are asked whether they are there. */
export const LOCAL_SERVERS = [
  { name: 'ollama', urlVariable: 'OLLAMA_HOST', baseUrl: 'http://127.0.0.1:11434' },
  { name: 'llamacpp', urlVariable: 'LLAMACPP_BASE_URL', baseUrl: 'http://127.0.0.1:8080' },
] as const;
