import { imageSize } from './image-size.ts';
import { familyOf } from './model-family.ts';

/** What an image takes at most where its size is not known: it lies behind a URL, or in a format nobody reads here. */
const UNKNOWN_SIZE = { width: 2_048, height: 2_048 };

/**
 * Tokens of an image by the rules that the vendors publish, roughly.
 * OpenAI: 85, and 170 for each tile of 512 after scaling to 2,048 and to 768 on the short side; small models count
 * many times that for billing, not for the window. Anthropic: width times height by 750, scaled to 1,568 on the long
 * side. Gemini: 258 for each tile of 768, or once for a small one.
 */
export function imageTokens(model: string, image: { url: string; detail?: string }): number {
  const { images } = familyOf(model);
  if (image.detail === 'low' && images === 'openai') return 85;
  const { width, height } = imageSize(image.url) ?? UNKNOWN_SIZE;
  switch (images) {
    case 'openai': {
      const inBox = Math.min(1, 2_048 / Math.max(width, height));
      const scale = inBox * Math.min(1, 768 / (Math.min(width, height) * inBox));
      return 85 + 170 * tiles(width * scale, height * scale, 512);
    }
    case 'anthropic': {
      const scale = Math.min(1, 1_568 / Math.max(width, height));
      return Math.min(4_784, Math.ceil((width * height * scale * scale) / 750));
    }
    case 'gemini':
      return width <= 384 && height <= 384 ? 258 : 258 * tiles(width, height, 768);
    case 'other':
      return Math.max(256, Math.ceil((Math.min(width, 1_568) * Math.min(height, 1_568)) / 750));
    default:
      return images satisfies never;
  }
}

function tiles(width: number, height: number, side: number): number {
  return Math.max(1, Math.ceil(width / side)) * Math.max(1, Math.ceil(height / side));
}
