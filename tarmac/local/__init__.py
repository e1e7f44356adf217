"""The embedded AWS: moto as the control plane, real model servers as the data plane. Started by `tarmac up`."""
