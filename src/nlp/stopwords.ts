const ENGLISH = `
a about above after again all also am an and any are aren't as at be because been before being below between both
but by can can't cannot could couldn't did didn't do does doesn't doing don't down during each either else ever few
for from further had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself him himself
his how i i'd i'll i'm i've if in into is isn't it it's its itself just let's me more most my myself neither nor not
of off on once only onto or other ought our ours ourselves out over own same shall she she'd she'll she's should
shouldn't so some such than that that's the their theirs them themselves then there there's these they they'd they'll
they're they've this those through to too under until up upon us very was wasn't we we'd we'll we're we've were
weren't what what's when where where's which while who who's whom whose why will with won't would wouldn't yet you
you'd you'll you're you've your yours yourself yourselves
`;

/** Hiragana words that carry grammar, not meaning; those of one kana are never terms at all. */
const JAPANESE = `
する した して しています している していた され された される されて されている いる いた いて ある あった あり なる なった なり
こと もの ため よう ほど など まで から より ので のに では には とは へは でも とも ても だけ ほか です ます でした ました である
であり であった という といった として について により によって による における において それ これ あれ この その あの どの ここ そこ
また および および ない なく なかった れる られ られる られた せる ところ とき うち さん くらい ぐらい ながら ただし しかし
`;

/** English function words, lower case, apostrophe straight. */
export const ENGLISH_STOPWORDS: ReadonlySet<string> = new Set(ENGLISH.trim().split(/\s+/));

/** Japanese function words as the segmenter cuts them. */
export const JAPANESE_STOPWORDS: ReadonlySet<string> = new Set(JAPANESE.trim().split(/\s+/));
