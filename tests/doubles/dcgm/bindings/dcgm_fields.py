"""Double of DCGM's dcgm_fields: the entity that joulegrid watches."""

DCGM_FE_GPU = 1
