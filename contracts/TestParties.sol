// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token for tests that misbehaves on command.
contract HostileToken is ERC20 {
    enum Mood {
        Plain,
        Fee, // a hundredth of each transfer is lost
        False, // transfer answers false and moves nothing
        Silent, // transfer answers nothing
        Burning, // transfer to the blocked burns all gas
        Blocking, // transfer to the blocked reverts
        Reentrant, // each transfer calls back what it was told to
        Long, // transfer answers with a hundred kilobytes that begin with true
        Lying // transfer moves the money and answers false
    }

    Mood public mood;
    address public blocked;
    address private target;
    bytes private data;
    bool public reentered; // a call back succeeded

    constructor() ERC20("Hostile", "HOST") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setMood(Mood m, address who) external {
        (mood, blocked) = (m, who);
    }

    function callBack(address to, bytes calldata what) external {
        (target, data) = (to, what);
    }

    /// What a second entry does; whoever asks, this is a test's token.
    function moveFor(address from, address to, uint256 amount) external {
        _transfer(from, to, amount);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (mood == Mood.False) return false;
        if (mood == Mood.Blocking && to == blocked) revert("blocked");
        if (mood == Mood.Burning && to == blocked) while (true) {}
        if (mood == Mood.Reentrant) {
            (bool ok,) = target.call(data);
            reentered = reentered || ok;
        }
        _transfer(msg.sender, to, amount);
        if (mood == Mood.Fee) _burn(to, amount / 100);
        if (mood == Mood.Silent) assembly { return(0, 0) }
        if (mood == Mood.Long) assembly {
            mstore(0, 1)
            return(0, 100000)
        }
        return mood != Mood.Lying;
    }
}

/// A second entry to the balances of a HostileToken, as proxied tokens had.
contract SecondEntry {
    HostileToken private immutable token;

    constructor(HostileToken t) {
        token = t;
    }

    function balanceOf(address who) external view returns (uint256) {
        return token.balanceOf(who);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        token.moveFor(msg.sender, to, amount);
        return true;
    }
}

/// A contract wallet that signs, by EIP-1271, the digests that it was told to.
contract DigestWallet {
    mapping(bytes32 digest => bool) private signed;

    function sign(bytes32 digest) external {
        signed[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return signed[digest] ? this.isValidSignature.selector : bytes4(0);
    }
}

/// A contract wallet that does what its owner's key says, and signs, by EIP-1271, what that key has signed.
contract OwnedWallet {
    address private immutable owner;

    constructor(address who) {
        owner = who;
    }

    function call(address to, bytes[] calldata data) external {
        require(msg.sender == owner);
        for (uint256 i = 0; i < data.length; i++) {
            (bool ok,) = to.call(data[i]);
            require(ok);
        }
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        require(signature.length == 65, "not by the owner's key");
        address by = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return by == owner ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}
