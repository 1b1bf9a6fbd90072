/** How Zed reads a prediction: a success, and a body with all fields of its struct. */
import { z } from 'zod';

const whole = z.int().min(0);
const completion = z.object({
  id: z.string(),
  object: z.string(),
  created: whole,
  model: z.string(),
  choices: z.array(z.object({ text: z.string(), finish_reason: z.string().nullish() })),
  usage: z.object({ prompt_tokens: whole, completion_tokens: whole, total_tokens: whole }),
});

/** @throws Error with the text of Zed's log */
export async function readZed(response: Response): Promise<string> {
  const body = await response.text();
  if (!response.ok) throw new Error(`custom server error: ${response.status} - ${body}`);
  return completion.parse(JSON.parse(body)).choices[0]?.text ?? '';
}
