from envs.gait_curves import *
