from envs.limb import *
