import { expect, test } from 'bun:test';
import type { ChatRequest } from '../../spec/chat.ts';
import { encodeChatRequest as encodeAnthropic } from '../anthropic/encode.ts';
import { encodeChatRequest as encodeOpenAi } from '../openai/encode.ts';
import { markSignature, signedCallId } from './call-signature.ts';

const id = signedCallId('call_1', Buffer.from('a signature of a thought').toString('base64'));
const request: ChatRequest = {
  messages: [
    { role: 'user', parts: [{ type: 'text', text: 'Is the gate open?' }] },
    {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'I should look.', signature: markSignature('theirs') },
        { type: 'tool-call', id, name: 'look', arguments: '{}' },
      ],
    },
    { role: 'user', parts: [{ type: 'tool-result', id, content: [{ type: 'text', text: 'open' }] }] },
  ],
  maxOutputTokens: 10,
};

test('a conversation that goes on elsewhere takes no signature of another vendor along', () => {
  const options = { model: 'm', target: 't', stream: 'no', maxTokensField: 'max_tokens' } as const;
  const bodies = [
    JSON.stringify(encodeOpenAi(request, options)),
    JSON.stringify(encodeAnthropic(request, { model: 'm', target: 't', stream: false })),
  ];
  for (const body of bodies) {
    expect(body.match(/"call_1"/g)).toHaveLength(2);
    expect(body).not.toContain('__sig__');
    expect(body).not.toContain('gemini:');
  }
});
