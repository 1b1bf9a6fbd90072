import { fakeSocketApp } from './fake-socket-app.ts';

export default { fetch: fakeSocketApp().fetch };
