import { mount } from './mount.tsx';
import { storeApiKey, takeKeyFromAddress } from './preferences.ts';
import { PlaygroundPage } from './views/playground-page.tsx';

const key = takeKeyFromAddress();
if (key !== undefined) storeApiKey(key);
mount(<PlaygroundPage />);
