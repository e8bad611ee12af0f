import { plainAccess } from "../../src/entities/server-access.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { describeTrackingStore } from "../store/tracking-store-contract.ts";
import { RestRig } from "./rest-rig.ts";

describeTrackingStore("REST store on our own server", async () => {
  const rig = await RestRig.start();
  const store = openRestStore(plainAccess(rig.url));
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rig[Symbol.asyncDispose]();
    },
  };
});
